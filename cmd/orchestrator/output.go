package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// outputFlag adds -o to a command that prints lines, or documents.
func outputFlag(c *cobra.Command) { outputFormats(c, "text", "json", "yaml") }

// outputFormats adds -o with these formats, the first one by default. text is known everywhere: a script need not know which command it asks.
func outputFormats(c *cobra.Command, formats ...string) {
	last := len(formats) - 1
	all := strings.Join(formats[:last], ", ") + " or " + formats[last]
	c.Flags().StringP("output", "o", formats[0], "output format: "+all+"; json has one document per line")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if o := format(c); o != "text" && !slices.Contains(formats, o) {
			return usageError{fmt.Errorf("-o is %q; it must be %s", o, all)}
		}
		return nil
	}
}

func format(c *cobra.Command) string {
	o, _ := c.Flags().GetString("output")
	return o
}

// structured reports whether the output is for programs.
func structured(c *cobra.Command) bool { return format(c) == "json" || format(c) == "yaml" }

// printDocument writes a value for programs: a line of JSON, or a document of YAML.
func printDocument(c *cobra.Command, v any) error {
	if format(c) == "json" {
		return json.NewEncoder(c.OutOrStdout()).Encode(v)
	}
	text, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "---\n%s", text)
	return err
}

func printLines(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
