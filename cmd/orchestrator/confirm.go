package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
)

// question is about a number of stores, which its first two texts hold as %d.
type question struct {
	without string // the error where there is no terminal and no --yes
	ask     string
	no      string // the error after another answer
}

// confirm asks a human, unless --yes is given.
func confirm(c *cobra.Command, stores int, q question) error {
	if yes, _ := c.Flags().GetBool("yes"); yes {
		return nil
	}
	if !view.IsTerminal(os.Stdin) {
		return fmt.Errorf(q.without, stores)
	}
	fmt.Fprintf(c.OutOrStdout(), "\n"+q.ask+" Type %d to do it: ", stores, stores)
	answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(answer) != strconv.Itoa(stores) {
		return errors.New(q.no)
	}
	return nil
}
