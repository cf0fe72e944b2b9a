package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/provision"
)

func quotaCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "quota CREATOR", Short: "Show or set how many stores a creator may have",
		Long: `quota shows how many stores a creator has and may have. Stores count that are not gone, and deleted ones whose data is retained.
ORCH_STORES_PER_CREATOR of ingest says how many each creator may have; --most is for one of them, and is kept in Redis. A quota ends
no store: it refuses new ones, with 429.`,
		Example: `  orchestrator quota c-123
  orchestrator quota c-123 --most 50
  orchestrator quota c-123 --default`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("%s takes exactly one creator_id", c.CommandPath())}
			}
			return nil
		},
		RunE: quota,
	}
	c.Flags().Int("most", 0, "stores that the creator may have; 0 is none")
	c.Flags().Bool("default", false, "as for all creators")
	outputFlag(c)
	return c
}

func quota(c *cobra.Command, args []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	most, _ := c.Flags().GetInt("most")
	var q provision.Quota
	switch {
	case c.Flags().Changed("most") && c.Flags().Changed("default"):
		return usageError{errors.New("--most and --default contradict each other")}
	case c.Flags().Changed("most") && most < 0:
		return usageError{fmt.Errorf("--most is %d; it must not be negative", most)}
	case c.Flags().Changed("most"):
		q, err = client.Fleet().SetQuota(c.Context(), args[0], most)
	case c.Flags().Changed("default"):
		q, err = client.Fleet().SetQuota(c.Context(), args[0], -1)
	default:
		q, err = client.Fleet().Quota(c.Context(), args[0])
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	switch {
	case structured(c):
		return printDocument(c, q)
	case q.Most == 0 && !q.Own:
		fmt.Fprintf(out, "Creator %s has %d stores, and may have any number.\n", q.CreatorID, q.Stores)
	case q.Own:
		fmt.Fprintf(out, "Creator %s has %d stores, and may have %d, which is its own quota.\n", q.CreatorID, q.Stores, q.Most)
	default:
		fmt.Fprintf(out, "Creator %s has %d stores, and may have %d, as all creators.\n", q.CreatorID, q.Stores, q.Most)
	}
	return nil
}
