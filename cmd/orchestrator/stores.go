package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func listCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list [BEGINNING]", Short: "List stores, the latest accepted first",
		Long: `list prints a page of stores with their status, the latest accepted first, and how to get the next page. With BEGINNING it lists those whose id, name or host
begins so. All filters that are given must hold; stores that are deleted are listed without a filter, and with --status DELETED.

With -o wide it shows more of each store, and cuts no line at the width of the terminal.`,
		Example: `  orchestrator list
  orchestrator list --status FAILED --code image
  orchestrator list shop-9 --engine medusa
  orchestrator list --cluster eu -o wide
  orchestrator list --all -o json`,
		Args: usageArgs(cobra.MaximumNArgs(1)), RunE: list,
	}
	c.Flags().String("status", "", "only stores with this status, such as FAILED")
	c.Flags().String("code", "", "only stores whose outcome has this code, such as image")
	c.Flags().String("engine", "", "only stores of this engine")
	c.Flags().String("cluster", "", "only stores on this cluster")
	c.Flags().String("creator", "", "only stores of this creator_id")
	c.Flags().Int("limit", 50, "stores per page, at most 200")
	c.Flags().String("cursor", "", "start of the page, as printed below the previous page")
	c.Flags().Bool("all", false, "list all pages")
	outputFormats(c, "table", "wide", "json", "yaml")
	return c
}

// filterOf is what the flags and the argument of list choose.
func filterOf(c *cobra.Command, args []string) provision.StoreFilter {
	flag := func(name string) string { text, _ := c.Flags().GetString(name); return text }
	f := provision.StoreFilter{Status: provision.Status(strings.ToUpper(flag("status"))), Code: provision.Code(flag("code")), Engine: flag("engine"),
		Cluster: flag("cluster"), Creator: flag("creator")}
	if len(args) > 0 {
		f.Query = args[0]
	}
	return f
}

func list(c *cobra.Command, args []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	limit, _ := c.Flags().GetInt("limit")
	cursor, _ := c.Flags().GetString("cursor")
	all, _ := c.Flags().GetBool("all")
	filter := filterOf(c, args)
	page, err := client.Stores(c.Context(), filter, cursor, limit)
	for (all || len(page.Stores) == 0) && err == nil && page.Next != "" { // a page may be empty in the middle of the list
		more, moreErr := client.Stores(c.Context(), filter, page.Next, limit)
		page.Stores, page.Next, err = append(page.Stores, more.Stores...), more.Next, moreErr
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if structured(c) {
		return printDocument(c, page)
	}
	if len(page.Stores) == 0 && filter != (provision.StoreFilter{}) {
		fmt.Fprintln(out, "There are no such stores.")
		return nil
	}
	if len(page.Stores) == 0 {
		fmt.Fprintln(out, "There are no stores. Create one with: orchestrator submit my-shop")
		return nil
	}
	if format(c) == "wide" {
		printLines(out, view.Wide(page.Stores, time.Now(), view.StyleOf(os.Stdout)))
	} else {
		printLines(out, view.List(page.Stores, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	}
	if page.Next != "" {
		fmt.Fprintf(out, "\nNext page: the same with --limit %d --cursor %s\n", limit, page.Next)
	}
	return nil
}

func showCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show one store, its steps, and what happens next",
		Long: `show prints everything that is known about a store: its status and the cause of a failure, where it is, the steps of its
latest request, and what happens next or what you have to do.`,
		Example: "  orchestrator show my-shop\n  orchestrator show my-shop -o yaml",
		Args:    oneStoreID, RunE: show,
	}
	outputFlag(c)
	return c
}

func show(c *cobra.Command, args []string) error {
	return printAnswer(c, func(client *api.Client) (provision.State, error) { return client.Store(c.Context(), args[0]) },
		func(s provision.State, style view.Style) []string { return view.Show(s, time.Now(), 0, style) })
}

func deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "delete ID", Short: "Delete a store, with all its data unless --retain-data is given",
		Long: `delete requests the deletion of a store: its release, its volumes and its namespace. No data is kept. It returns once the
request is recorded. An accepted delete always runs to its end, even if the store is submitted again meanwhile.

With --retain-data only the release is deleted: the shop stops and its host is free. Namespace, credentials and volumes stay
for a later submit of the same store with the same engine, name and namespace, or until a delete without --retain-data.

With --grace the shop is stopped now and deleted later. Until then any request of the store keeps it, such as orchestrator resume. An installation
may give each delete a grace (ORCH_DELETE_GRACE); with --erase the store is deleted at once all the same.

Exit code: 0 once the request is accepted; with --watch 0 for DELETED, 1 for DELETE_FAILED.`,
		Example: `  orchestrator delete my-shop --watch
  orchestrator delete my-shop --retain-data
  orchestrator delete my-shop --grace 168h`,
		Args: oneStoreID,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			retain, _ := c.Flags().GetBool("retain-data")
			grace, _ := c.Flags().GetDuration("grace")
			erase, _ := c.Flags().GetBool("erase")
			accepted, err := client.Delete(c.Context(), args[0], 0, api.Deletion{RetainData: retain, Grace: grace, Erase: erase})
			if err != nil {
				return err
			}
			return reportAccepted(c, client, accepted)
		},
	}
	c.Flags().BoolP("watch", "w", false, "print the steps and wait for DELETED or DELETE_FAILED")
	c.Flags().Bool("erase", false, "delete it at once, although the installation keeps deleted stores for a while (ORCH_DELETE_GRACE)")
	c.Flags().Duration("grace", 0, "stop the shop now and delete it that much later, such as 168h; any request before keeps it")
	c.MarkFlagsMutuallyExclusive("grace", "erase")
	c.Flags().Bool("retain-data", false, "keep namespace, credentials and volumes for a later submit of the store")
	outputFlag(c)
	return c
}

// outputWidth returns the terminal's width, or 0 where the output is not a terminal and lines may have any length.
func outputWidth() int {
	if !view.IsTerminal(os.Stdout) {
		return 0
	}
	width, _ := view.Size(os.Stdout)
	return width
}
