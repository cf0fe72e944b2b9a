// Package kube is a small client of a Kubernetes API server, for commands and test tools that must not link Kubernetes' own.
package kube

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// idleConns is enough for a proxy that many clients use at a time.
const idleConns = 64

// kubeconfig is the part of a kubeconfig that leads to the current cluster.
type kubeconfig struct {
	CurrentContext string `json:"current-context"`
	Contexts       []struct {
		Name    string `json:"name"`
		Context struct{ Cluster, User string }
	} `json:"contexts"`
	Clusters []struct {
		Name    string      `json:"name"`
		Cluster clusterPart `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string   `json:"name"`
		User userPart `json:"user"`
	} `json:"users"`
}

type clusterPart struct {
	Server     string `json:"server"`
	CAData     string `json:"certificate-authority-data"`
	CAFile     string `json:"certificate-authority"`
	ServerName string `json:"tls-server-name"`
	Insecure   bool   `json:"insecure-skip-tls-verify"`
}

type userPart struct {
	Token     string `json:"token"`
	TokenFile string `json:"tokenFile"`
	CertData  string `json:"client-certificate-data"`
	CertFile  string `json:"client-certificate"`
	KeyData   string `json:"client-key-data"`
	KeyFile   string `json:"client-key"`
	Exec      any    `json:"exec"`
}

// Load returns a client for the current context of a kubeconfig. Of several paths, as in KUBECONFIG, the first counts. Users
// that log in by a program are not supported.
func Load(paths string) (*Client, error) {
	path := filepath.SplitList(paths)[0]
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	var config kubeconfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	cluster, user, err := config.current()
	if err == nil && user.Exec != nil {
		err = errors.New("its user logs in by a program, which is not supported here; give one with a token or a certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	c, err := connect(cluster, user, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return c, nil
}

func (k kubeconfig) current() (cluster clusterPart, user userPart, err error) {
	for _, context := range k.Contexts {
		if context.Name != k.CurrentContext {
			continue
		}
		for _, c := range k.Clusters {
			if c.Name == context.Context.Cluster {
				cluster = c.Cluster
			}
		}
		for _, u := range k.Users {
			if u.Name == context.Context.User {
				user = u.User
			}
		}
	}
	if cluster.Server == "" {
		err = fmt.Errorf("its current context %q leads to no cluster", k.CurrentContext)
	}
	return cluster, user, err
}

func connect(cluster clusterPart, user userPart, dir string) (*Client, error) {
	token, err := user.token(dir)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: cluster.ServerName, InsecureSkipVerify: cluster.Insecure} // as its owner has written
	ca, err := dataOrFile(cluster.CAData, cluster.CAFile, dir)
	if err != nil {
		return nil, err
	}
	if ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("its certificate authority is no certificate")
		}
	}
	cert, err1 := dataOrFile(user.CertData, user.CertFile, dir)
	key, err2 := dataOrFile(user.KeyData, user.KeyFile, dir)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("its client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	var transport http.RoundTripper = &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: idleConns}
	if token != "" {
		transport = authorized{token, transport}
	}
	return &Client{server: strings.TrimRight(cluster.Server, "/"), transport: transport}, nil
}

func (u userPart) token(dir string) (string, error) {
	if u.Token != "" || u.TokenFile == "" {
		return u.Token, nil
	}
	text, err := dataOrFile("", u.TokenFile, dir)
	return strings.TrimSpace(string(text)), err
}

// dataOrFile is what is written in the file itself, else what it points to, else nil.
func dataOrFile(data, file, dir string) ([]byte, error) {
	if data != "" {
		return base64.StdEncoding.DecodeString(data)
	}
	if file == "" {
		return nil, nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	return os.ReadFile(file)
}
