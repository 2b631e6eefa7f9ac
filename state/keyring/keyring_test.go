package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	gokeyring "github.com/zalando/go-keyring"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/keyring"
)

// put opens the Store, keeps a value in it and returns what the Store underneath
// has.
func put(t *testing.T, inner state.Store, value string) []byte {
	t.Helper()
	sealed, err := keyring.Open(t.Context(), inner, "grants", nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if _, err := sealed.CompareAndSwap(t.Context(), "grant/ann", "", []byte(value)); err != nil {
		t.Fatalf("CompareAndSwap: %v", err)
	}
	raw, err := inner.Load(t.Context(), "grant/ann")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return raw.Value
}

func TestTheKeyIsMadeOnceAndKept(t *testing.T) {
	gokeyring.MockInit()
	inner := state.NewMemory()
	if raw := put(t, inner, "a refresh token"); strings.Contains(string(raw), "refresh") {
		t.Errorf("the record is in plain: %q", raw)
	}
	again, err := keyring.Open(t.Context(), inner, "grants", nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if got, err := again.Load(t.Context(), "grant/ann"); err != nil || string(got.Value) != "a refresh token" {
		t.Errorf("Load = %q, %v, want what was kept", got.Value, err)
	}
	if key, err := gokeyring.Get(keyring.DefaultService, "grants"); err != nil || len(key) > 2560 || !strings.HasPrefix(key, "AGE-SECRET-KEY-") {
		t.Errorf("the keyring holds %d bytes, %v; want a key of 2560 at most", len(key), err)
	}
}

// TestProcessesAgreeOnAKey: many that open a new Store at once use one key.
func TestProcessesAgreeOnAKey(t *testing.T) {
	gokeyring.MockInit()
	inner := state.NewMemory()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			sealed, err := keyring.Open(t.Context(), inner, "grants", nil)
			if err == nil {
				_, err = sealed.CompareAndSwap(t.Context(), fmt.Sprint("grant/", i), "", []byte("value"))
			}
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	sealed, err := keyring.Open(t.Context(), inner, "grants", nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	for i := range 20 {
		if got, err := sealed.Load(t.Context(), fmt.Sprint("grant/", i)); err != nil || string(got.Value) != "value" {
			t.Errorf("%d: Load = %q, %v, want value", i, got.Value, err)
		}
	}
}

// TestALostKeyIsNotReplaced: records are there that a new key would not open.
func TestALostKeyIsNotReplaced(t *testing.T) {
	gokeyring.MockInit()
	inner := state.NewMemory()
	before := put(t, inner, "a refresh token")
	key, err := gokeyring.Get(keyring.DefaultService, "grants")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	gokeyring.MockInit() // a new keyring
	if _, err := keyring.Open(t.Context(), inner, "grants", nil); !errors.Is(err, keyring.ErrKeyLost) {
		t.Errorf("Open without the key = %v, want ErrKeyLost", err)
	}
	if _, err := gokeyring.Get(keyring.DefaultService, "grants"); !errors.Is(err, gokeyring.ErrNotFound) {
		t.Errorf("a new key was made: %v", err)
	}
	put(t, state.NewMemory(), "of another store") // makes another key
	_, err = keyring.Open(t.Context(), inner, "grants", nil)
	testlog.Error(t, err)
	if !errors.Is(err, keyring.ErrKeyLost) {
		t.Errorf("Open with another key = %v, want ErrKeyLost", err)
	}
	if err := gokeyring.Set(keyring.DefaultService, "grants", "hello"); err != nil {
		t.Fatalf("Set: %v", err)
	}
	_, err = keyring.Open(t.Context(), inner, "grants", nil)
	testlog.Error(t, err)
	if err == nil || strings.Contains(err.Error(), "hello") {
		t.Errorf("Open with something else in the keyring = %v, want an error that does not quote it", err)
	}
	if err := gokeyring.Set(keyring.DefaultService, "grants", key); err != nil {
		t.Fatalf("Set: %v", err)
	}
	sealed, err := keyring.Open(t.Context(), inner, "grants", nil)
	if err != nil {
		t.Fatalf("Open with the key back = %v", err)
	}
	if got, err := sealed.Load(t.Context(), "grant/ann"); err != nil || string(got.Value) != "a refresh token" {
		t.Errorf("Load = %q, %v", got.Value, err)
	}
	if raw, err := inner.Load(t.Context(), "grant/ann"); err != nil || !slices.Equal(raw.Value, before) {
		t.Errorf("the record has changed: %v", err)
	}
}

func TestWithoutAKeyring(t *testing.T) {
	reason := errors.New("the name org.freedesktop.secrets was not provided")
	gokeyring.MockInitWithError(reason)
	defer gokeyring.MockInit()
	_, err := keyring.Open(t.Context(), state.NewMemory(), "grants", nil)
	testlog.Error(t, err)
	if !errors.Is(err, keyring.ErrNoKeyring) || !errors.Is(err, reason) || !strings.Contains(err.Error(), "passphrase or a key file") {
		t.Errorf("Open = %v, want ErrNoKeyring, its cause and what to do", err)
	}
	gokeyring.MockInit()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keyring.Open(ctx, state.NewMemory(), "grants", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with an ended context = %v", err)
	}
	if _, err := keyring.Open(t.Context(), state.NewMemory(), "", nil); err == nil {
		t.Error("Open without a name succeeded")
	}
}

// Grants are kept in a folder and encrypted with a key from the keyring. The
// mock stands in for that of the session.
func ExampleOpen() {
	gokeyring.MockInit()
	ctx := context.Background()
	store, err := keyring.Open(ctx, state.NewMemory(), "grants", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.CompareAndSwap(ctx, "grant/ann", "", []byte("secret"))
	got, _ := store.Load(ctx, "grant/ann")
	fmt.Println(string(got.Value), err)
	// Output: secret <nil>
}
