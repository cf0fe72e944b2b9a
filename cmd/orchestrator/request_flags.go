package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/provision"
)

// requestFlag is a flag that sets one field of a request.
type requestFlag struct {
	name, usage string
	field       func(*provision.Request) *string
}

// changeable are the fields that may change while a store lives.
var changeable = []requestFlag{
	{"host", "DNS name of the shop", func(r *provision.Request) *string { return &r.Host }},
	{"store-url", "URL of the shop, with the same host", func(r *provision.Request) *string { return &r.StoreURL }},
	{"base-url", "URL of the API that the shop belongs to", func(r *provision.Request) *string { return &r.BaseURL }},
	{"creator", "id of the user that the store belongs to", func(r *provision.Request) *string { return &r.CreatorID }},
	{"title", "title of the shop", func(r *provision.Request) *string { return &r.Settings.Title }},
	{"admin-email", "e-mail address of the owner", func(r *provision.Request) *string { return &r.Settings.AdminEmail }},
	{"currency", "currency of the shop, such as EUR", func(r *provision.Request) *string { return &r.Settings.Currency }},
	{"country", "country of the shop, such as DE", func(r *provision.Request) *string { return &r.Settings.Country }},
	{"locale", "language of the shop, such as de_DE", func(r *provision.Request) *string { return &r.Settings.Locale }},
}

// fixed are those that may not.
var fixed = []requestFlag{
	{"engine", "platform", func(r *provision.Request) *string { return &r.Engine }},
	{"name", "name of the Helm release", func(r *provision.Request) *string { return &r.Name }},
	{"namespace", "namespace, used by this store only", func(r *provision.Request) *string { return &r.Namespace }},
}

const sampleProduct = "sample-product"

// addRequestFlags adds a flag for each field, and the one that is no text.
func addRequestFlags(c *cobra.Command, r *provision.Request, flags []requestFlag) {
	for _, f := range flags {
		c.Flags().StringVar(f.field(r), f.name, *f.field(r), f.usage)
	}
	c.Flags().BoolVar(&r.Settings.SampleProduct, sampleProduct, false, "put one product into the shop")
}

// givenFlags are the names of the fields' flags on the command line.
func givenFlags(c *cobra.Command) (names []string) {
	for _, f := range append(fixed, changeable...) {
		if c.Flags().Changed(f.name) {
			names = append(names, f.name)
		}
	}
	if c.Flags().Changed(sampleProduct) {
		names = append(names, sampleProduct)
	}
	return names
}

// change is a field that is about to change.
type change struct{ field, from, to string }

// overlay returns a request with the fields whose flags are on the command line, and what differs then. The URL keeps its scheme, port and path
// when another host is given alone.
func overlay(c *cobra.Command, onto, given provision.Request) (provision.Request, []change) {
	changed := onto
	for _, f := range append(fixed, changeable...) {
		if c.Flags().Changed(f.name) {
			*f.field(&changed) = *f.field(&given)
		}
	}
	if c.Flags().Changed("host") && !c.Flags().Changed("store-url") {
		changed.StoreURL = movedTo(onto.StoreURL, changed.Host)
	}
	var changes []change
	for _, f := range append(fixed, changeable...) {
		if from, to := *f.field(&onto), *f.field(&changed); from != to {
			changes = append(changes, change{f.name, strconv.Quote(from), strconv.Quote(to)})
		}
	}
	if c.Flags().Changed(sampleProduct) && given.Settings.SampleProduct != onto.Settings.SampleProduct {
		changed.Settings.SampleProduct = given.Settings.SampleProduct
		changes = append(changes, change{sampleProduct, fmt.Sprint(onto.Settings.SampleProduct), fmt.Sprint(given.Settings.SampleProduct)})
	}
	return changed, changes
}

// movedTo returns a URL on another host.
func movedTo(from, host string) string {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return "http://" + host
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return u.String()
}

// printChanges says what a request changes of a store that exists.
func printChanges(w io.Writer, id string, changes []change) {
	if len(changes) == 0 {
		fmt.Fprintf(w, "Store %s exists; nothing of it changes.\n", id)
		return
	}
	width := 0
	for _, c := range changes {
		width = max(width, len(c.field))
	}
	fmt.Fprintf(w, "Store %s exists. What changes:\n", id)
	for _, c := range changes {
		fmt.Fprintf(w, "  %s%s  %s → %s\n", c.field, strings.Repeat(" ", width-len(c.field)), c.from, c.to)
	}
}
