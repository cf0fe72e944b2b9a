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

// confirm asks a human to type the number of stores, unless --yes is given.
func confirm(c *cobra.Command, stores int, q question) error {
	return confirmWord(c, strconv.Itoa(stores), question{without: fmt.Sprintf(q.without, stores), ask: fmt.Sprintf(q.ask, stores), no: q.no})
}

// confirmWord asks a human to type a word, unless --yes is given. Its question is about no number.
func confirmWord(c *cobra.Command, word string, q question) error {
	if yes, _ := c.Flags().GetBool("yes"); yes {
		return nil
	}
	if !view.IsTerminal(os.Stdin) {
		return errors.New(q.without)
	}
	fmt.Fprintf(c.OutOrStdout(), "\n%s Type %s to do it: ", q.ask, word)
	answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(answer) != word {
		return errors.New(q.no)
	}
	return nil
}
