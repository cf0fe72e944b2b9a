package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func clustersCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "clusters", Short: "List the clusters, give up one that is gone for good, or take it back",
		Long: `clusters lists the installation's clusters with the number of their stores, and whether a worker reaches them.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return printClusters(c, func(client *api.Client) (provision.ClusterStates, error) { return client.Fleet().Clusters(c.Context()) })
		},
	}
	outputFlag(c)
	lose := &cobra.Command{
		Use: "lose NAME", Short: "Give up a cluster that is gone for good, with all its stores",
		Long: `lose gives up a cluster that is gone for good. No store is placed there any more. What lived there is ended within seconds: a delete
is DELETED, every other store FAILED with code lost, and the backend is told. Their hosts and namespaces are free then; the next
request for such a store makes it on another cluster, empty. Nothing is deleted in the cluster, even if it comes back.

Stores are told to have failed although their shops may still answer: do this only if the cluster does not come back.`,
		Example: "  orchestrator clusters lose eu --yes",
		Args:    oneCluster, RunE: loseCluster,
	}
	lose.Flags().Bool("yes", false, "do it")
	outputFlag(lose)
	find := &cobra.Command{
		Use: "found NAME", Short: "Take a cluster back that was given up",
		Long:    `found lets new stores be placed on a cluster again that was given up. Stores that were ended stay ended.`,
		Example: "  orchestrator clusters found eu",
		Args:    oneCluster,
		RunE: func(c *cobra.Command, args []string) error {
			return printClusters(c, func(client *api.Client) (provision.ClusterStates, error) {
				return client.Fleet().SetLost(c.Context(), args[0], false)
			})
		},
	}
	outputFlag(find)
	c.AddCommand(lose, find)
	return c
}

func oneCluster(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes exactly one name of a cluster", c.CommandPath())}
	}
	return nil
}

func loseCluster(c *cobra.Command, args []string) error {
	yes, _ := c.Flags().GetBool("yes")
	return printClusters(c, func(client *api.Client) (provision.ClusterStates, error) {
		if yes {
			return client.Fleet().SetLost(c.Context(), args[0], true)
		}
		stores, err := storesOn(c.Context(), client, args[0])
		if err != nil {
			return provision.ClusterStates{}, err
		}
		return provision.ClusterStates{}, fmt.Errorf("cluster %s has %d stores, which would end with it; add --yes to give it up", args[0], stores)
	})
}

func storesOn(ctx context.Context, client *api.Client, name string) (int64, error) {
	states, err := client.Fleet().Clusters(ctx)
	if err != nil {
		return 0, err
	}
	for _, one := range states.Clusters {
		if one.Name == name {
			return one.Stores, nil
		}
	}
	return 0, fmt.Errorf("cluster %s is not one of this installation's", name)
}

func printClusters(c *cobra.Command, call func(*api.Client) (provision.ClusterStates, error)) error {
	return printAnswer(c, call, func(s provision.ClusterStates, style view.Style) []string {
		return view.Clusters(s.Clusters, outputWidth(), style)
	})
}
