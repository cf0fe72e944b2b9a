package ingest

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	takeText(&f, "store_id", &r.StoreID)
	takeText(&f, "action", &action)
	take(&f, retainData, "true or false", &r.RetainData)
	r.Action = provision.Op(action)
	if r.Action == provision.OpDelete {
		return provision.Request{StoreID: r.StoreID, Action: r.Action, RetainData: r.RetainData}, f.bad, nil
	}
	takeStore(&f, &r)
	return normalize(r), f.bad, nil
}

func takeStore(f *fields, r *provision.Request) {
	takeText(f, "name", &r.Name)
	takeText(f, "engine", &r.Engine)
	takeText(f, "namespace", &r.Namespace)
	takeText(f, "host", &r.Host)
	takeText(f, "store_url", &r.StoreURL)
	takeText(f, "base_url", &r.BaseURL)
	takeText(f, "creator_id", &r.CreatorID)
	takeText(f, "cluster", &r.Cluster)
	var suspended bool
	if value, given := f.from["suspended"]; given && value.Kind() != 'n' {
		take(f, "suspended", "true or false", &suspended)
		r.Suspend = &suspended
	}
	f.from, f.prefix = takeSettings(f), "settings."
	takeText(f, "title", &r.Settings.Title)
	takeText(f, "admin_email", &r.Settings.AdminEmail)
	takeText(f, "currency", &r.Settings.Currency)
	takeText(f, "country", &r.Settings.Country)
	takeText(f, "locale", &r.Settings.Locale)
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

// takeSettings returns the settings. PHP writes an empty array where an object has no entries.
func takeSettings(f *fields) (settings object) {
	if value := f.from["settings"]; value.Kind() == '[' {
		var list []jsontext.Value
		if err := json.Unmarshal(value, &list); err == nil && len(list) == 0 {
			return nil
		}
	}
	take(f, "settings", "an object, such as {\"title\": \"My shop\"}", &settings)
	return settings
}

// takeText takes a string, and an integer as the string of its digits: callers in PHP and JavaScript send what looks like a number as
// a number. Other numbers have more than one spelling.
func takeText(f *fields, name string, into *string) {
	value := f.from[name]
	if value.Kind() == '0' && strings.Trim(string(value), "0123456789") == "" {
		*into = string(value)
		return
	}
	take(f, name, "a string, in quotes", into)
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
