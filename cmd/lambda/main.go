// Command lambda is the whole service as one function of AWS Lambda: requests that come by a function URL or an API
// gateway are ingest's, and a scheduled event lets a worker run for a while. deploy/lambda says how it is deployed.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/lambda/internal/event"
)

func main() {
	os.Exit(service.Main("lambda", "takes requests for stores and carries them out, as a function of AWS Lambda", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	api, err := ingestapp.Open(c.Common, c.Ingest, log)
	if err != nil {
		return err
	}
	defer api.Close()
	c.Work.API = c.EKS.api()
	open := func(ctx context.Context) (drain.Worker, prometheus.Gatherer, error) {
		w, err := workerapp.Open(ctx, c.Common, c.Work, log)
		if err != nil {
			return nil, nil, err
		}
		return w, w.Metrics, nil
	}
	lambda.StartWithOptions(function{
		gateway: event.Gateway{Handler: api.Handler, BasePath: c.BasePath},
		drainer: drain.Drainer{Open: open, Margin: c.Margin, Idle: c.Idle},
		log:     log,
	}, lambda.WithContext(ctx))
	return nil
}
