package workerapp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"

	"orchestrator/provision/engine"
)

// hostOnly is an IP address or a host name: the port is that of each shop's URL.
var hostOnly = regexp.MustCompile(`^([0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?)$`)

// publicAccess is how shops are reached at their public addresses.
func (c Config) publicAccess() (access engine.PublicAccess, err error) {
	access = engine.PublicAccess{Allowed: c.VerifyAllow, Address: c.VerifyAddress}
	if c.VerifyCA == "" {
		return access, nil
	}
	text, err := os.ReadFile(c.VerifyCA)
	if err != nil {
		return access, named("ORCH_VERIFY_CA_FILE", err)
	}
	if access.Authorities, err = x509.SystemCertPool(); err != nil {
		access.Authorities = x509.NewCertPool() // a system without authorities
	}
	if !access.Authorities.AppendCertsFromPEM(text) {
		return access, fmt.Errorf("ORCH_VERIFY_CA_FILE: %s holds no PEM certificate", c.VerifyCA)
	}
	return access, nil
}

func (c Config) validatePublic() error {
	var address error
	if c.VerifyAddress != "" && !hostOnly.MatchString(c.VerifyAddress) {
		address = fmt.Errorf("ORCH_VERIFY_ADDRESS is %q; it must be an IP address or a host name, without a port", c.VerifyAddress)
	}
	_, authorities := c.publicAccess()
	return errors.Join(address, authorities)
}
