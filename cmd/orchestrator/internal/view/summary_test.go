package view

import (
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

func TestSummary(t *testing.T) {
	s := provision.Summary{Stores: 1198, Status: map[provision.Status]int64{"FAILED": 7, "READY": 1190, "PROVISIONING": 1},
		Code: map[provision.Code]int64{"image": 7}, Engine: map[string]int64{"medusa": 599, "woocommerce": 599}, Cluster: map[string]int64{"eu": 1198}}
	got := strings.Join(Summary(s, time.Now(), 120, Style{}), "\n")
	want := "stores   1198\nstatus   READY 1190, FAILED 7, PROVISIONING 1\ncause    image 7\nengine   medusa 599, woocommerce 599\ncluster  eu 1198"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.Oldest = []provision.State{{StoreID: "slow", Status: provision.StatusProvisioning}}
	if got := strings.Join(Summary(s, time.Now(), 120, Style{}), "\n"); !strings.Contains(got, "Under way the longest:\n") || !strings.Contains(got, "slow") {
		t.Error(got)
	}
}
