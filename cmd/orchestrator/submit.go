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
		Short: "Create or change a store",
		Long: `submit requests that a store exists as described. It returns once the request is recorded; with --watch it waits until the
store is READY or FAILED.

Every field except the id has a default, most of them derived from the id. If an equal request is still in progress, submit
joins it. After it has ended, an equal request is a new run: it repairs what is wrong, changes nothing else, and the backend
receives a callback again. A different request for the same id changes the store; engine, name and namespace cannot change
while the store exists.

Exit code: 0 once the request is accepted; with --watch 0 for READY, 1 for FAILED.`,
		Example: `  orchestrator submit my-shop --watch
  orchestrator submit my-shop --engine ` + otherEngine() + ` --host shop.example.com --store-url https://shop.example.com
  orchestrator submit my-shop --title "Käse & Brot" --currency EUR --country DE --locale de_DE --sample-product
  orchestrator submit --file request.json
  echo '{"store_id":"my-shop","action":"delete"}' | orchestrator submit --file -`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return submit(c, args, *r) },
	}
	f := c.Flags()
	f.StringVar(&r.Engine, "engine", engine.Names()[0], "platform: "+strings.Join(engine.Names(), ", "))
	f.StringVar(&r.Name, "name", "", "name of the Helm release (default: derived from the id)")
	f.StringVar(&r.Namespace, "namespace", "", "namespace, used by this store only (default: store-<id>)")
	f.StringVar(&r.Host, "host", "", "DNS name of the shop (default: <id>.localhost)")
	f.StringVar(&r.StoreURL, "store-url", "", "URL of the shop, with the same host (default: http://<host>)")
	f.StringVar(&r.BaseURL, "base-url", "", "URL of the API that the shop belongs to")
	f.StringVar(&r.CreatorID, "creator", "", "id of the user that the store belongs to")
	f.StringVar(&r.Settings.Title, "title", "", "title of the shop")
	f.StringVar(&r.Settings.AdminEmail, "admin-email", "", "e-mail address of the owner")
	f.StringVar(&r.Settings.Currency, "currency", "", "currency of the shop, such as EUR")
	f.StringVar(&r.Settings.Country, "country", "", "country of the shop, such as DE")
	f.StringVar(&r.Settings.Locale, "locale", "", "language of the shop, such as de_DE")
	f.BoolVar(&r.Settings.SampleProduct, "sample-product", false, "put one product into the shop")
	f.StringP("file", "f", "", "send this JSON file as the request, - for standard input; excludes the id and the flags of fields")
	f.BoolP("watch", "w", false, "print the steps and wait for READY or FAILED")
	outputFlag(c)
	return c
}

func submit(c *cobra.Command, args []string, r provision.Request) error {
	body, err := requestBody(c, args, r)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	accepted, err := client.Submit(c.Context(), body)
	if err != nil {
		return err
	}
	return reportAccepted(c, client, accepted)
}

// requestBody returns the file unchanged, or a request built from the flags.
func requestBody(c *cobra.Command, args []string, r provision.Request) (json.RawMessage, error) {
	file, _ := c.Flags().GetString("file")
	if file == "" {
		if len(args) == 0 {
			return nil, usageError{errors.New("submit takes a store id, or --file")}
		}
		r.StoreID = args[0]
		return json.Marshal(withDefaults(r))
	}
	if len(args) > 0 {
		return nil, usageError{errors.New("submit takes a store id or --file, not both")}
	}
	for _, name := range []string{"engine", "name", "namespace", "host", "store-url", "base-url", "creator", "title", "admin-email", "currency", "country", "locale", "sample-product"} {
		if c.Flags().Changed(name) {
			return nil, usageError{fmt.Errorf("--%s cannot be combined with --file: write the field into the file", name)}
		}
	}
	if file == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(file)
}

// withDefaults derives missing fields from the store's id. It does not validate the id: ingest does.
func withDefaults(r provision.Request) provision.Request {
	slug := labelFrom(r.StoreID)
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

// otherEngine is the engine of examples: the last one, so that it differs from the default if there are several.
func otherEngine() string {
	names := engine.Names()
	return names[len(names)-1]
}

const maxReleaseName = 53 // Helm's limit

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

// labelFrom derives a DNS label from an id. Different ids give different labels: where characters are lost, a part of the
// id's hash is appended.
func labelFrom(id string) string {
	slug := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(id), "-"), "-")
	if slug == id && len(slug) <= maxReleaseName {
		return slug
	}
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:4])
	if most := maxReleaseName - len(hash) - 1; len(slug) > most {
		slug = strings.TrimRight(slug[:most], "-")
	}
	return slug + "-" + hash
}

// reportAccepted prints what was accepted and, with --watch, follows it to its outcome.
func reportAccepted(c *cobra.Command, client *api.Client, a api.Accepted) error {
	watching, _ := c.Flags().GetBool("watch")
	if wantsJSON(c) {
		if err := printJSON(c.OutOrStdout(), a); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.OutOrStdout(), "The %s of %s is accepted (task %s).\n", a.Action, a.StoreID, a.TaskID)
	}
	if watching {
		return watchOne(c, client, a.StoreID)
	}
	if !wantsJSON(c) {
		fmt.Fprintf(c.OutOrStdout(), "Follow it with: orchestrator watch %s\n", a.StoreID)
	}
	return nil
}
