package provision

import (
	"cmp"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FieldError says what is wrong with one field of a request. Detail is for the caller.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Policy holds the rules of an installation, in addition to the general ones.
type Policy struct {
	Engines            []string // the registered engines
	ReservedNamespaces []string // refused besides kube-* and default
	ReservedHosts      []string // refused besides the cluster's own; one that begins with a dot means all hosts below it
	// AllowedHostSuffixes are the domains that hosts must be below; none: any host.
	AllowedHostSuffixes []string
	Clusters            []string // the clusters' names; none: only [DefaultCluster]
}

const (
	maxName    = 53 // Helm's limit for a release name: helm.sh/helm/v3/pkg/chartutil.ValidateReleaseName
	maxURL     = 2048
	maxCreator = 128
	maxTitle   = 200
	maxEmail   = 254
)

// Two characters that Unicode does not count as printable and people use nevertheless: the one in the middle of 👩‍🍳, and
// the one before a French question mark.
const (
	zeroWidthJoiner = '\u200d'
	noBreakSpace    = '\u00a0'
)

var (
	storeIDRule  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	labelRule    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // RFC 1123
	currencyRule = regexp.MustCompile(`^[A-Z]{3}$`)
	countryRule  = regexp.MustCompile(`^[A-Z]{2}$`)
	localeRule   = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2}(_[a-z0-9]{1,20})?)?$`)
	numberRule   = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)                      // browsers treat such a last label as an IPv4 address
	urlRule      = regexp.MustCompile(`^[!$%&'()*+,./0-9:;=@A-Z\[\]_a-z~-]*$`)       // RFC 3986 without '?' and '#'
	emailRule    = regexp.MustCompile(`^[!-?A-~]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$`) // ASCII, one '@', a dot in the domain: what shops accept
)

// Validate returns one entry for each invalid field, in the order of the contract; nil means valid. A delete needs only a
// store_id.
func (r Request) Validate(p Policy) []FieldError {
	var errs []FieldError
	check := func(field, problem string) {
		if problem != "" {
			errs = append(errs, FieldError{field, problem})
		}
	}
	check("store_id", CheckStoreID(r.StoreID))
	check("action", checkAction(r.Action))
	if r.Action == OpDelete {
		return errs
	}
	if r.RetainData {
		check("retain_data", "is allowed in a delete only")
	}
	check("name", checkName(r.Name))
	check("engine", checkEngine(r.Engine, p.Engines))
	check("namespace", checkNamespace(r.Namespace, p.ReservedNamespaces))
	check("host", cmp.Or(checkHost(r.Host), p.checkAllowedHost(r.Host)))
	check("store_url", checkStoreURL(r.StoreURL, r.Host))
	check("base_url", checkBaseURL(r.BaseURL))
	check("creator_id", checkText(r.CreatorID, maxCreator))
	check("cluster", checkCluster(r.Cluster, p.Clusters))
	check("settings.title", checkText(r.Settings.Title, maxTitle))
	check("settings.admin_email", checkEmail(r.Settings.AdminEmail))
	check("settings.currency", checkPattern(r.Settings.Currency, currencyRule, "three upper-case letters (ISO 4217), such as EUR"))
	check("settings.country", checkPattern(r.Settings.Country, countryRule, "two upper-case letters (ISO 3166-1), such as DE"))
	check("settings.locale", checkPattern(r.Settings.Locale, localeRule, "a language, or language_COUNTRY, such as de_DE, or a variant of it, such as de_DE_formal"))
	return errs
}

// CheckStoreID returns what is wrong with a store id, or "".
func CheckStoreID(id string) string {
	switch {
	case id == "":
		return "is required"
	case !storeIDRule.MatchString(id) || strings.Contains(id, ".."):
		return "must be 1 to 63 letters, digits, '-', '_' or '.', must begin and end with a letter or digit, and may not contain '..'"
	}
	return ""
}

func checkAction(op Op) string {
	if op != OpProvision && op != OpDelete {
		return `must be "provision" or "delete"`
	}
	return ""
}

func checkName(name string) string {
	switch {
	case name == "":
		return "is required"
	case len(name) > maxName || !labelRule.MatchString(name):
		return fmt.Sprintf("must be an RFC 1123 label (lower-case letters, digits, '-') of at most %d characters", maxName)
	}
	return ""
}

func checkEngine(engine string, engines []string) string {
	switch {
	case engine == "":
		return "is required"
	case !slices.Contains(engines, engine):
		return "must be one of " + strings.Join(engines, ", ")
	}
	return ""
}

func checkNamespace(ns string, reserved []string) string {
	switch {
	case ns == "":
		return "is required"
	case !labelRule.MatchString(ns):
		return "must be an RFC 1123 label (lower-case letters, digits, '-') of at most 63 characters"
	case ns == "default" || strings.HasPrefix(ns, "kube-") || slices.Contains(reserved, ns):
		return fmt.Sprintf("%q is reserved", ns)
	}
	return ""
}

func checkCluster(cluster string, clusters []string) string {
	if len(clusters) == 0 {
		clusters = []string{DefaultCluster}
	}
	if cluster != "" && !slices.Contains(clusters, cluster) {
		return "must be one of " + strings.Join(clusters, ", ") + ", or absent"
	}
	return ""
}

func checkHost(host string) string {
	if host == "" {
		return "is required"
	}
	const rule = "must be a DNS name in lower case, without scheme, port, wildcard or path"
	if _, err := netip.ParseAddr(host); err == nil || len(host) > 253 {
		return rule
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if !labelRule.MatchString(label) {
			return rule
		}
		last = label
	}
	if numberRule.MatchString(last) {
		return rule
	}
	return ""
}

func checkStoreURL(raw, host string) string {
	if raw == "" {
		return "is required"
	}
	if problem := checkURL(raw); problem != "" {
		return problem
	}
	if u, _ := url.Parse(raw); u.Hostname() != host {
		return "must be on the host given in the field host"
	}
	return ""
}

func checkBaseURL(raw string) string {
	if raw == "" {
		return ""
	}
	return checkURL(raw)
}

func checkURL(raw string) string {
	if len(raw) > maxURL {
		return fmt.Sprintf("must have at most %d characters", maxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "must be an absolute http or https URL"
	case u.User != nil:
		return "may not contain credentials"
	case strings.ContainsAny(raw, "?#"):
		return "may not have a query or a fragment"
	case !urlRule.MatchString(raw):
		return "may contain only ASCII characters that are allowed in a URL; percent-encode others"
	case !validPort(u):
		return "must have a port from 1 to 65535, or none"
	}
	return ""
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

func checkText(text string, most int) string {
	if utf8.RuneCountInString(text) > most {
		return fmt.Sprintf("must have at most %d characters", most)
	}
	for _, c := range text {
		if !unicode.IsPrint(c) && c != zeroWidthJoiner && c != noBreakSpace {
			return "may contain only printable characters"
		}
	}
	return ""
}

func checkEmail(email string) string {
	if email == "" {
		return ""
	}
	addr, err := mail.ParseAddress(email)
	if err != nil || addr.Address != email || len(email) > maxEmail || !emailRule.MatchString(email) {
		return "must be a plain ASCII e-mail address at a domain with a dot"
	}
	return ""
}

func checkPattern(text string, rule *regexp.Regexp, want string) string {
	if text != "" && !rule.MatchString(text) {
		return "must be " + want
	}
	return ""
}

// clusterHosts are names that pods resolve inside the cluster: a shop that claims one would be mistaken for the cluster's own.
var clusterHosts = []string{"kubernetes", "kubernetes.default", ".svc", ".cluster.local"}

// checkAllowedHost returns what is wrong with a valid DNS name as the host of a store, or "".
func (p Policy) checkAllowedHost(host string) string {
	for _, rule := range slices.Concat(clusterHosts, p.ReservedHosts) {
		if hostMatches(rule, host) {
			return fmt.Sprintf("%q is reserved", host)
		}
	}
	below := func(suffix string) bool { return hostMatches("."+strings.TrimPrefix(suffix, "."), host) }
	if len(p.AllowedHostSuffixes) > 0 && !slices.ContainsFunc(p.AllowedHostSuffixes, below) {
		return "must be below one of the domains " + strings.Join(p.AllowedHostSuffixes, ", ")
	}
	return ""
}

// hostMatches reports whether a rule names the host: a rule that begins with a dot names all hosts below a domain, any other one host.
func hostMatches(rule, host string) bool {
	if strings.HasPrefix(rule, ".") {
		return strings.HasSuffix(host, rule)
	}
	return rule == host
}

// CheckHostRules returns what is wrong with the policy's rules about hosts, or nil.
func (p Policy) CheckHostRules() error {
	for _, rule := range slices.Concat(p.ReservedHosts, p.AllowedHostSuffixes) {
		if problem := checkHost(strings.TrimPrefix(rule, ".")); problem != "" {
			return fmt.Errorf("%q %s; a dot in front of it means all hosts below", rule, problem)
		}
	}
	return nil
}
