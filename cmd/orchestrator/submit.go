package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func submitCommand() *cobra.Command {
	r := &provision.Request{Action: provision.OpProvision}
	c := &cobra.Command{
		Use:   "submit ID",
		Short: "Ask for a store to exist",
		Long: `submit asks for a store to exist, or to become as asked. It returns once the request is recorded; with --watch it stays
until the store is READY or has failed.

Everything but the id has a default that is made from it. The same request again joins the one under way; after its end
it looks, changes nothing where nothing is wrong, and tells the backend again. A different request for the same id changes
the store; its engine, release and namespace stay as they are while it lives.`,
		Example: `  orchestrator submit my-shop --watch
  orchestrator submit my-shop --engine ` + otherEngine() + ` --host shop.example.com --store-url https://shop.example.com
  orchestrator submit my-shop --title "Käse & Brot" --currency EUR --country DE --locale de_DE --sample-product
  orchestrator submit --file request.json
  echo '{"store_id":"my-shop","action":"delete"}' | orchestrator submit --file -`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return submit(c, args, *r) },
	}
	f := c.Flags()
	f.StringVar(&r.Engine, "engine", engine.Names()[0], "platform: "+strings.Join(engine.Names(), ", "))
	f.StringVar(&r.Name, "name", "", "name of the Helm release (default: from the id)")
	f.StringVar(&r.Namespace, "namespace", "", "namespace of the store alone (default: store-<id>)")
	f.StringVar(&r.Host, "host", "", "DNS name of the shop (default: <id>.localhost)")
	f.StringVar(&r.StoreURL, "store-url", "", "URL of the shop, on its host (default: http://<host>)")
	f.StringVar(&r.BaseURL, "base-url", "", "URL of the API that the shop belongs to")
	f.StringVar(&r.CreatorID, "creator", "", "who the store belongs to")
	f.StringVar(&r.Settings.Title, "title", "", "name that shoppers see")
	f.StringVar(&r.Settings.AdminEmail, "admin-email", "", "e-mail address of the owner")
	f.StringVar(&r.Settings.Currency, "currency", "", "such as EUR")
	f.StringVar(&r.Settings.Country, "country", "", "such as DE")
	f.StringVar(&r.Settings.Locale, "locale", "", "such as de_DE")
	f.BoolVar(&r.Settings.SampleProduct, "sample-product", false, "put one product into the shop")
	f.StringP("file", "f", "", "send this JSON file instead, - for standard input; no other field may be given")
	f.BoolP("watch", "w", false, "stay until the store is READY or has failed")
	outputFlag(c)
	return c
}

func submit(c *cobra.Command, args []string, r provision.Request) error {
	body, err := requestOf(c, args, r)
	if err != nil {
		return err
	}
	client, err := client(c)
	if err != nil {
		return err
	}
	accepted, err := client.Submit(c.Context(), body)
	if err != nil {
		return err
	}
	return afterwards(c, client, accepted)
}

// requestOf is the file as it is, or a request made from the flags.
func requestOf(c *cobra.Command, args []string, r provision.Request) (json.RawMessage, error) {
	file, _ := c.Flags().GetString("file")
	if file == "" {
		if len(args) == 0 {
			return nil, usageError{errors.New("submit takes the id of a store, or --file")}
		}
		r.StoreID = args[0]
		return json.Marshal(withDefaults(r))
	}
	if len(args) > 0 {
		return nil, usageError{errors.New("submit takes the id of a store or --file, not both")}
	}
	for _, name := range []string{"engine", "name", "namespace", "host", "store-url", "base-url", "creator", "title", "admin-email", "currency", "country", "locale", "sample-product"} {
		if c.Flags().Changed(name) {
			return nil, usageError{fmt.Errorf("--%s does not go with --file: write it into the file", name)}
		}
	}
	if file == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(file)
}

// withDefaults makes from the store's id what was not given. What is wrong with the id, ingest says.
func withDefaults(r provision.Request) provision.Request {
	slug := slugOf(r.StoreID)
	for _, f := range []struct {
		field *string
		value string
	}{
		{&r.Name, slug}, {&r.Namespace, "store-" + slug}, {&r.Host, slug + ".localhost"},
	} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if r.StoreURL == "" {
		r.StoreURL = "http://" + r.Host
	}
	return r
}

// otherEngine is the engine of examples: the last one, so that it differs from the default where there are several.
func otherEngine() string {
	names := engine.Names()
	return names[len(names)-1]
}

const longestName = 53 // of a Helm release

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

// slugOf makes a DNS label of an id. Ids that differ give labels that differ: where characters are lost, a part of the
// id's hash takes their place.
func slugOf(id string) string {
	slug := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(id), "-"), "-")
	if slug == id && len(slug) <= longestName {
		return slug
	}
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:4])
	if most := longestName - len(hash) - 1; len(slug) > most {
		slug = strings.TrimRight(slug[:most], "-")
	}
	return slug + "-" + hash
}

// afterwards says what was accepted, and watches it where that is asked for.
func afterwards(c *cobra.Command, client *api.Client, a api.Accepted) error {
	watching, _ := c.Flags().GetBool("watch")
	if wantsJSON(c) {
		if err := printJSON(c.OutOrStdout(), a); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.OutOrStdout(), "%s of %s is accepted (task %s).\n", a.Action, a.StoreID, a.TaskID)
	}
	if watching {
		return watchOne(c, client, a.StoreID)
	}
	if !wantsJSON(c) {
		fmt.Fprintf(c.OutOrStdout(), "Follow it with: orchestrator watch %s\n", a.StoreID)
	}
	return nil
}
