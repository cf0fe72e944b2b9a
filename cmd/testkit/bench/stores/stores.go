// Package stores has the stores that each way of the bench makes: the same ones, so that what they cost compares.
package stores

import (
	"fmt"

	"orchestrator/provision"
)

// Engine is the platform that the bench makes stores of.
const Engine = "woocommerce"

// ID is the id of the ith store with a prefix.
func ID(prefix string, i int) string { return fmt.Sprint(prefix, i) }

// Request is what a backend would POST for a store.
func Request(id string) provision.Request {
	host := id + ".shop.test"
	return provision.Request{StoreID: id, Name: "shop", Engine: Engine, Namespace: "store-" + id, Host: host, StoreURL: "https://" + host,
		CreatorID: "c-" + id, Action: provision.OpProvision, Settings: provision.Settings{Title: "Shop " + id, Currency: "EUR", Country: "DE"}}
}
