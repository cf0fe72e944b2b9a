package ingest

import (
	"github.com/go-json-experiment/json"

	"orchestrator/provision"
)

const retainData = "retain_data"

// decode parses a body into a request that starts as defaults. It returns an error if the body is malformed; a field of the
// wrong type is a field error like any other. A delete uses only store_id and retain_data.
func decode(body []byte, defaults provision.Request) (provision.Request, []provision.FieldError, error) {
	top, err := parse(body)
	if err != nil {
		return provision.Request{}, nil, malformed.problem(err.Error())
	}
	r := defaults
	action := string(defaults.Action)
	f := fields{from: top}
	take(&f, "store_id", "a string", &r.StoreID)
	take(&f, "action", "a string", &action)
	take(&f, retainData, "true or false", &r.RetainData)
	r.Action = provision.Op(action)
	if r.Action == provision.OpDelete {
		return provision.Request{StoreID: r.StoreID, Action: r.Action, RetainData: r.RetainData}, f.bad, nil
	}
	takeStore(&f, &r)
	return r, f.bad, nil
}

func takeStore(f *fields, r *provision.Request) {
	take(f, "name", "a string", &r.Name)
	take(f, "engine", "a string", &r.Engine)
	take(f, "namespace", "a string", &r.Namespace)
	take(f, "host", "a string", &r.Host)
	take(f, "store_url", "a string", &r.StoreURL)
	take(f, "base_url", "a string", &r.BaseURL)
	take(f, "creator_id", "a string", &r.CreatorID)
	take(f, "cluster", "a string", &r.Cluster)
	var settings object
	take(f, "settings", "an object", &settings)
	f.from, f.prefix = settings, "settings."
	take(f, "title", "a string", &r.Settings.Title)
	take(f, "admin_email", "a string", &r.Settings.AdminEmail)
	take(f, "currency", "a string", &r.Settings.Currency)
	take(f, "country", "a string", &r.Settings.Country)
	take(f, "locale", "a string", &r.Settings.Locale)
	take(f, "sample_product", "true or false", &r.Settings.SampleProduct)
}

// fields reads values from an object and collects the errors about them.
type fields struct {
	from   object
	prefix string
	bad    []provision.FieldError
}

func (f *fields) refuse(name, detail string) {
	f.bad = append(f.bad, provision.FieldError{Field: f.prefix + name, Detail: detail})
}

// take stores the value of a key in a variable of its type. Absent and null leave the variable unchanged.
func take[T any](f *fields, name, want string, into *T) {
	value, ok := f.from[name]
	if !ok || value.Kind() == 'n' {
		return
	}
	if err := json.Unmarshal(value, into); err != nil {
		f.refuse(name, "must be "+want)
	}
}
