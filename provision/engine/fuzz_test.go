package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// skeleton is what a render has besides the settings that a customer chose: objects, and what runs in their pods.
type skeleton struct {
	Objects []string
	Pods    map[string]any
	Configs map[string]map[string]string
}

// chosen are the settings that carry a customer's text.
var chosen = []string{"STORE_TITLE", "STORE_ADMIN_EMAIL", "STORE_ADMIN_USER"}

func skeletonOf(r rendered) skeleton {
	s := skeleton{Pods: map[string]any{}, Configs: map[string]map[string]string{}}
	for _, o := range r.objects {
		s.Objects = append(s.Objects, o.GetNamespace()+"/"+o.GetName())
	}
	for name, pod := range r.pods {
		s.Pods[name] = pod.Spec
	}
	for name, config := range r.configs {
		data := map[string]string{}
		for key, value := range config.Data {
			data[key] = value
		}
		for _, key := range chosen {
			delete(data, key)
		}
		s.Configs[name] = data
	}
	return s
}

// FuzzNoTextBecomesCode renders a store of each engine with arbitrary texts that pass validation: they arrive as they are, in the settings alone. No text
// becomes an object, a command, a template, or another setting.
func FuzzNoTextBecomesCode(f *testing.F) {
	for _, seed := range []string{"Käthes Laden", `"; drop`, "{{ .Values }}", "$(STORE_PASSWORD)", "'\n---\nkind: Secret", "<?php system('id');", "${jndi:x}", "`id`", "\\u0000", "a: b # c", "!!binary x"} {
		f.Add(seed, "owner@example.com")
	}
	plain := map[string]skeleton{}
	variantOf := func(name, title, email string) variant {
		return variant{engine: name, env: "production", store: store(name, provision.Settings{Title: title, AdminEmail: email})}
	}
	for _, name := range engine.Names() {
		plain[name] = skeletonOf(render(f, variantOf(name, "plain", "plain@example.com")))
	}
	f.Fuzz(func(t *testing.T, title, email string) {
		for _, name := range engine.Names() {
			v := variantOf(name, title, email)
			if len(v.store.Validate(provision.Policy{Engines: engine.Names()})) > 0 || title == "" || email == "" {
				return
			}
			r := render(t, v)
			if diff := cmp.Diff(plain[name], skeletonOf(r)); diff != "" {
				t.Errorf("%s: the title %q and the address %q change more than themselves:\n%s", name, title, email, diff)
			}
			arrived := false
			for _, config := range r.configs {
				if got, has := config.Data["STORE_TITLE"]; has {
					arrived = arrived || got == title
				}
			}
			if !arrived {
				t.Errorf("%s: the title %q does not arrive as it is", name, title)
			}
		}
	})
}
