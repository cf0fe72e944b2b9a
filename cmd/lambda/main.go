// Command lambda is the whole service as one function of AWS Lambda: ingest serves the requests of a function URL or an API
// gateway, and a scheduled event runs a worker for a while. deploy/lambda explains the deployment.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/lambda/internal/emf"
	"orchestrator/cmd/lambda/internal/event"
)

func main() {
	os.Exit(service.Main("lambda", "accepts requests for stores and runs them, as a function of AWS Lambda", run))
}

// measure writes the metrics of a drain to CloudWatch; nil: it does not.
func (c config) measure() func(prometheus.Gatherer) error {
	if c.Namespace == "" {
		return nil
	}
	return func(metrics prometheus.Gatherer) error { return emf.Write(os.Stdout, c.Namespace, metrics, time.Now()) }
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	tracing, err := service.StartTracing(ctx, "lambda", log)
	if err != nil {
		return err
	}
	defer tracing.Stop()
	c.Tracing = tracing
	c.Ingest.NoMaintenance = true
	api, err := ingestapp.Open(c.Common, c.Ingest, log)
	if err != nil {
		return err
	}
	defer api.Close()
	c.Work.API = c.EKS.api()
	c.Work.MaintenanceSlots = 0 // a pass over all stores would keep a drain from ever ending
	open := func(ctx context.Context) (drain.Worker, prometheus.Gatherer, error) {
		w, err := workerapp.Open(ctx, c.Common, c.Work, log)
		if err != nil {
			return nil, nil, err
		}
		return w, w.Metrics, nil
	}
	lambda.StartWithOptions(function{
		gateway: event.Gateway{Handler: api.Handler, BasePath: c.BasePath},
		drainer: drain.Drainer{Open: open, Margin: c.Margin, Idle: c.Idle, Measure: c.measure()},
		tracing: tracing,
		log:     log,
	}, lambda.WithContext(ctx))
	return nil
}
