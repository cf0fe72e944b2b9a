package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"

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

// change is a field that is about to change: texts, or booleans.
type change struct {
	Field string `json:"field"`
	From  any    `json:"from"`
	To    any    `json:"to"`
}

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
	if c.Flags().Changed(sampleProduct) {
		changed.Settings.SampleProduct = given.Settings.SampleProduct
	}
	return changed, changesOf(onto, changed)
}

// changesOf are the fields in which two requests of a store differ, by the names of their flags.
func changesOf(onto, changed provision.Request) (changes []change) {
	for _, f := range append(fixed, changeable...) {
		if from, to := *f.field(&onto), *f.field(&changed); from != to {
			changes = append(changes, change{f.name, from, to})
		}
	}
	if from, to := onto.Settings.SampleProduct, changed.Settings.SampleProduct; from != to {
		changes = append(changes, change{sampleProduct, from, to})
	}
	return changes
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
	fmt.Fprintf(w, "Store %s exists. What changes:\n", id)
	printFields(w, "  ", changes)
}

// printFields prints a line for each field that changes.
func printFields(w io.Writer, indent string, changes []change) {
	width := 0
	for _, c := range changes {
		width = max(width, len(c.Field))
	}
	for _, c := range changes {
		fmt.Fprintf(w, "%s%-*s  %s → %s\n", indent, width, c.Field, quoted(c.From), quoted(c.To))
	}
}

// quoted is a value as it is shown: a text in quotes.
func quoted(value any) string {
	if text, ok := value.(string); ok {
		return strconv.Quote(text)
	}
	return fmt.Sprint(value)
}
