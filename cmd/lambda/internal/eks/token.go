// Package eks creates tokens for EKS clusters from the credentials of an AWS role, without an external program.
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

// Role has the credentials of an AWS role. On Lambda they are those of the execution role, from the environment.
type Role struct {
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID" help:"set by Lambda; for EKS"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY" help:"set by Lambda; for EKS"`
	SessionToken    string `env:"AWS_SESSION_TOKEN" help:"set by Lambda; for EKS"`
	Region          string `env:"AWS_REGION" help:"set by Lambda; for EKS"`
}

// lifetime is how long EKS accepts a token after it was signed; the expiry in the signed URL has no effect.
const lifetime = 15 * time.Minute

const noBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of an empty body

// Token returns a token for a cluster and the time at which it expires. The token is a presigned GetCallerIdentity request to
// STS, which EKS sends to find out the role. No request is sent here.
func (r Role) Token(cluster string, now time.Time) (string, time.Time, error) {
	url := fmt.Sprintf("https://sts.%s.%s/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", r.Region, domain(r.Region))
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("AWS_REGION is %q, which is not part of a valid host name of STS: %w", r.Region, err)
	}
	req.Header.Set("X-K8s-Aws-Id", cluster) // binds the token to this cluster
	credentials := aws.Credentials{AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey, SessionToken: r.SessionToken}
	signed, _, err := v4.NewSigner().PresignHTTP(req.Context(), credentials, req, noBody, "sts", r.Region, now)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token for the EKS cluster %s: %w", cluster, err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed)), now.Add(lifetime), nil
}

// domain returns the domain of a region's services.
func domain(region string) string {
	if len(region) > 3 && region[:3] == "cn-" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
