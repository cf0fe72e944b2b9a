// Command devcluster runs a Kubernetes control plane on loopback, for development and tests. It is its own components too:
// called by the name of one (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, shop) it is that one.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	componentcli "k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	kwoksignals "sigs.k8s.io/kwok/pkg/utils/signals"

	"orchestrator/deploy/devcluster/internal/cli"
	"orchestrator/deploy/devcluster/internal/cluster"
	"orchestrator/deploy/devcluster/internal/shop"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case cluster.Etcd:
		etcdmain.Main(os.Args)
	case cluster.APIServer:
		os.Exit(componentcli.Run(apiserver.NewAPIServerCommand()))
	case cluster.ControllerManager:
		os.Exit(componentcli.Run(controllermanager.NewControllerManagerCommand()))
	case cluster.Scheduler:
		os.Exit(componentcli.Run(scheduler.NewSchedulerCommand()))
	case cluster.Kwok:
		if err := runKwok(); err != nil {
			fmt.Fprintln(os.Stderr, "kwok:", err)
			os.Exit(1)
		}
	case cluster.Shop:
		os.Exit(shop.Main(os.Args[1:]))
	default:
		os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
}

// runKwok does what kwok's own main does, which cannot be imported.
func runKwok() error {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(kwoksignals.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.Version = "" // the Kubernetes packages have registered a --version of another type
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}
