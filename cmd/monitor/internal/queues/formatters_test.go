package queues

import "testing"

const testPayload = `{"store_id":"s-1","generation":1700000000123,"password":"S3CRET"}`

func TestShowPayloadShowsOnlyListedFields(t *testing.T) {
	for payload, want := range map[string]string{
		`{"store_id":"s-1","generation":7,"sequence":2}`: `{"generation":7,"sequence":2,"store_id":"s-1"}`,
		testPayload:             `{"generation":1700000000123,"store_id":"s-1"}`,
		`{"password":"S3CRET"}`: "",
		`{"store_id":{"password":"S3CRET"},"generation":1}`:              `{"generation":1}`,
		`{"store_id":"S3CRET with spaces","generation":"S3CRET words!"}`: "",
		`{"STORE_ID":"S3CRET"}`:                                          "",
		`["S3CRET"]`:                                                     "",
		`"S3CRET"`:                                                       "",
		"S3CRET":                                                         "",
		"":                                                               "",
		"null":                                                           "",
	} {
		if got := showPayload("any", []byte(payload)); got != want {
			t.Errorf("%s is shown as %s, want %s", payload, got, want)
		}
	}
	if got := showResult("", []byte("S3CRET")); got != "" {
		t.Errorf("a result is shown as %q", got)
	}
}
