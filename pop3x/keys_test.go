package pop3x

import (
	"slices"
	"strings"
	"testing"
)

// TestKeysReadBack in one segment and in several, and nothing else reads as keys.
func TestKeysReadBack(t *testing.T) {
	for _, segments := range [][][]string{
		{}, {{"a"}}, {{"a", "b\n1", "b\n2", "ä ö"}}, {{"a", "b"}, {"c"}}, {{}, {"a"}},
	} {
		var packed, want []string
		for _, keys := range segments {
			packed, want = append(packed, packKeys(keys)), append(want, keys...)
		}
		if got, err := unpackKeys(strings.Join(packed, segmentEnd)); err != nil || !slices.Equal(got, want) {
			t.Errorf("the keys %q read back as %q, %v", want, got, err)
		}
	}
	for _, odd := range []string{"!", "AAAA", "YQ", packKeys([]string{"a"}) + "x", packKeys([]string{""}), packKeys([]string{" a"})} {
		if got, err := unpackKeys(odd); err == nil {
			t.Errorf("the state %q reads as %q", odd, got)
		}
	}
}

// FuzzKeys: what is read as a state says the same when it is written again.
func FuzzKeys(f *testing.F) {
	f.Add("")
	f.Add(packKeys([]string{"a", "b\n2"}) + segmentEnd + packKeys([]string{"c"}))
	f.Add("AAAA.")
	f.Fuzz(func(t *testing.T, state string) {
		keys, err := unpackKeys(state)
		if err != nil {
			return
		}
		if again, err := unpackKeys(packKeys(keys)); err != nil || !slices.Equal(again, keys) {
			t.Errorf("the state %q has the keys %q, which read back as %q, %v", state, keys, again, err)
		}
	})
}
