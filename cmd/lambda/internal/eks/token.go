// Package eks logs in to clusters of EKS as an AWS role, without a program beside this one.
package eks

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Role is who logs in: on Lambda the function's own execution role, whose keys are in the environment.
type Role struct {
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID" help:"set by Lambda; for EKS"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY" help:"set by Lambda; for EKS"`
	SessionToken    string `env:"AWS_SESSION_TOKEN" help:"set by Lambda; for EKS"`
	Region          string `env:"AWS_REGION" help:"set by Lambda; for EKS"`
}

// lifetime is how long EKS takes a token for good after it was signed; what the URL in it says about itself does not count.
const lifetime = 15 * time.Minute

const noBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing

// Token returns a token for a cluster, and when it ends. It is a signed question to STS of who asks, which EKS asks in
// the role's place. No network is asked for it.
func (r Role) Token(cluster string, now time.Time) (string, time.Time, error) {
	url := fmt.Sprintf("https://sts.%s.%s/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", r.Region, domain(r.Region))
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("AWS_REGION %q makes no address of STS: %w", r.Region, err)
	}
	req.Header.Set("X-K8s-Aws-Id", cluster) // binds the token to this cluster
	credentials := aws.Credentials{AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey, SessionToken: r.SessionToken}
	signed, _, err := v4.NewSigner().PresignHTTP(req.Context(), credentials, req, noBody, "sts", r.Region, now)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("a token for the EKS cluster %s cannot be signed: %w", cluster, err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed)), now.Add(lifetime), nil
}

// domain is where a region's services are.
func domain(region string) string {
	if len(region) > 3 && region[:3] == "cn-" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
