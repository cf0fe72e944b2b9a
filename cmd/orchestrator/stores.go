package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
)

func listCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List stores, newest accepted first",
		Example: `  orchestrator list
  orchestrator list --all -o json`,
		Args: usage(cobra.NoArgs), RunE: list,
	}
	c.Flags().Int("limit", 50, "stores per page, at most 200")
	c.Flags().String("cursor", "", "where to go on: what the page before said")
	c.Flags().Bool("all", false, "all pages")
	outputFlag(c)
	return c
}

func list(c *cobra.Command, _ []string) error {
	client, err := client(c)
	if err != nil {
		return err
	}
	limit, _ := c.Flags().GetInt("limit")
	cursor, _ := c.Flags().GetString("cursor")
	all, _ := c.Flags().GetBool("all")
	page, err := client.Stores(c.Context(), cursor, limit)
	for all && err == nil && page.Next != "" {
		more, moreErr := client.Stores(c.Context(), page.Next, limit)
		page.Stores, page.Next, err = append(page.Stores, more.Stores...), more.Next, moreErr
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if wantsJSON(c) {
		return printJSON(out, page)
	}
	if len(page.Stores) == 0 {
		fmt.Fprintln(out, "There are no stores. Ask for one with: orchestrator submit my-shop")
		return nil
	}
	printLines(out, view.List(page.Stores, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	if page.Next != "" {
		fmt.Fprintf(out, "\nThere are more: orchestrator list --limit %d --cursor %s\n", limit, page.Next)
	}
	return nil
}

func showCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show a store, its steps, and what happens next",
		Example: "  orchestrator show my-shop",
		Args:    storeID, RunE: show,
	}
	outputFlag(c)
	return c
}

func show(c *cobra.Command, args []string) error {
	client, err := client(c)
	if err != nil {
		return err
	}
	s, err := client.Store(c.Context(), args[0])
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return printJSON(c.OutOrStdout(), s)
	}
	printLines(c.OutOrStdout(), view.Show(s, time.Now(), 0, view.StyleOf(os.Stdout)))
	return nil
}

func deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "delete ID", Short: "Ask for a store to be gone, with all its data unless told otherwise",
		Long: `delete asks for a store to be gone: its release, its volumes, its namespace. Nothing of its data is kept. A delete that was
accepted is carried out to its end, whatever is submitted meanwhile.

With --retain-data only the release goes: the shop stops and its host is free. Namespace, credentials and volumes stay for a
later submit of the same store with the same engine, name and namespace, or until a delete without --retain-data.`,
		Example: `  orchestrator delete my-shop --watch
  orchestrator delete my-shop --retain-data`,
		Args: storeID,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := client(c)
			if err != nil {
				return err
			}
			retain, _ := c.Flags().GetBool("retain-data")
			accepted, err := client.Delete(c.Context(), args[0], retain)
			if err != nil {
				return err
			}
			return afterwards(c, client, accepted)
		},
	}
	c.Flags().BoolP("watch", "w", false, "stay until the store is DELETED or that has failed")
	c.Flags().Bool("retain-data", false, "leave namespace, credentials and volumes for a later submit of the store")
	outputFlag(c)
	return c
}

// outputWidth is the terminal's width, or 0 where the output is no terminal and lines may be of any length.
func outputWidth() int {
	if !view.IsTerminal(os.Stdout) {
		return 0
	}
	width, _ := view.Size(os.Stdout)
	return width
}
