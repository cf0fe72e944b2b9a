package main

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/lambda/internal/eks"
	"orchestrator/provision/cluster/kube"
)

type config struct {
	service.Common
	Ingest ingestapp.Config
	Work   workerapp.Config
	EKS    eksCluster

	RuntimeAPI string        `env:"AWS_LAMBDA_RUNTIME_API,required,notEmpty" help:"set by Lambda: address of the runtime API"`
	BasePath   string        `env:"ORCH_LAMBDA_BASE_PATH" help:"path that a custom domain maps to this function, such as /orchestrator; it is removed from the paths of requests"`
	Margin     time.Duration `env:"ORCH_LAMBDA_MARGIN" envDefault:"100s" help:"how long before the function's timeout a drain stops its worker, which may need that time to finish a Helm release"`
	Namespace  string        `env:"ORCH_LAMBDA_METRICS" help:"CloudWatch namespace of the metrics that each drain writes to the log in the embedded metric format; empty: none, since AWS charges for each series"`
	Idle       time.Duration `env:"ORCH_LAMBDA_IDLE" envDefault:"10s" help:"time without any work after which a drain ends"`
}

func (c config) Validate() error {
	errs := []error{c.Common.Validate(), c.Ingest.Validate(c.Clusters.Clusters), c.Work.Validate(), c.EKS.Validate()}
	if c.Margin < drain.MinMargin {
		errs = append(errs, fmt.Errorf("ORCH_LAMBDA_MARGIN is %s; it must be at least %s, which a worker may need to finish a Helm release", c.Margin, drain.MinMargin))
	}
	if c.Idle < time.Second || c.Idle > 5*time.Minute {
		errs = append(errs, fmt.Errorf("ORCH_LAMBDA_IDLE is %s; it must be between 1s and 5m", c.Idle))
	}
	if c.BasePath != "" && !strings.HasPrefix(c.BasePath, "/") {
		errs = append(errs, fmt.Errorf("ORCH_LAMBDA_BASE_PATH is %q; it must begin with a slash", c.BasePath))
	}
	return errors.Join(errs...)
}

// eksCluster is an EKS cluster that the function logs in to with its own role.
type eksCluster struct {
	Name     string `env:"ORCH_EKS_CLUSTER" help:"name of an EKS cluster that the function's role has access to; used if there is no kubeconfig"`
	Endpoint string `env:"ORCH_EKS_ENDPOINT" help:"https:// URL of its API server"`
	CA       string `env:"ORCH_EKS_CA" help:"data of its certificate authority, in base64 as EKS shows it"`
	Role     eks.Role
}

func (e eksCluster) Validate() error {
	if e == (eksCluster{Role: e.Role}) {
		return nil
	}
	if e.Name == "" || !strings.HasPrefix(e.Endpoint, "https://") || e.CA == "" {
		return errors.New("ORCH_EKS_CLUSTER, ORCH_EKS_ENDPOINT (https://…) and ORCH_EKS_CA must be set together")
	}
	if _, err := e.authority(); err != nil {
		return err
	}
	if e.Role.AccessKeyID == "" || e.Role.SecretAccessKey == "" || e.Role.Region == "" {
		return errors.New("ORCH_EKS_CLUSTER requires AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, which Lambda sets")
	}
	return nil
}

func (e eksCluster) authority() ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(e.CA)
	if block, _ := pem.Decode(text); err != nil || block == nil {
		return nil, errors.New("ORCH_EKS_CA is not a PEM certificate in base64")
	}
	return text, nil
}

// api returns the address and login of the cluster; nil if none is configured.
func (e eksCluster) api() *kube.APIServer {
	if e.Name == "" {
		return nil
	}
	ca, _ := e.authority() // Validate has checked it
	return &kube.APIServer{Server: e.Endpoint, CA: ca, Token: func() (string, time.Time, error) { return e.Role.Token(e.Name, time.Now()) }}
}
