package grantstory

import "testing"

// TestARenewalIsNothingElse: whenever the lease is renewed in the background,
// the changes around it are known for what they are.
func TestARenewalIsNothingElse(t *testing.T) {
	const (
		lease   = ".lease/" + key
		holding = `{"holder":"h","fence":1,"term_ms":15000}`
	)
	d := &dying{}
	for _, step := range []struct{ k, value, want string }{
		{lease, holding, "the lease is taken"},
		{key, `{"schema":1}`, "the claim"},
		{key, `{"schema":1,"pending_since":"2026-01-01T00:00:00Z"}`, "the mark"},
		{key, `{"schema":1}`, "the new token is kept"},
		{lease, `{"holder":"","fence":1,"term_ms":0}`, "the lease is given back"},
	} {
		if got := d.change(step.k, []byte(step.value)); got != step.want {
			t.Errorf("a change of %s to %s is called %q, want %q", step.k, step.value, got, step.want)
		}
		if got := d.change(lease, []byte(holding)); got != "the lease is renewed" {
			t.Errorf("a renewal after %q is called %q", step.want, got)
		}
	}
}
