package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/seal"
	"github.com/mailsession/mailsession/state/statetest"
)

const phrase = "correct horse battery staple"

// byPhrase returns a store that is sealed by a passphrase, at little cost.
func byPhrase(t *testing.T, inner state.Store, passphrase string) *seal.Store {
	t.Helper()
	return sealed(t, inner, seal.Keys{Passphrase: secret.New(passphrase)})
}

func sealed(t *testing.T, inner state.Store, keys seal.Keys) *seal.Store {
	t.Helper()
	s, err := seal.New(inner, keys, &seal.Options{WorkFactor: 2})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

// identity returns a new identity.
func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatalf("GenerateX25519Identity: %v", err)
	}
	return i
}

// put stores a value and returns its version.
func put(t *testing.T, s state.Store, key, value string) state.Version {
	t.Helper()
	old, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load(%q): %v", key, err)
	}
	v, err := s.CompareAndSwap(t.Context(), key, old.Version, []byte(value))
	if err != nil {
		t.Fatalf("CompareAndSwap(%q): %v", key, err)
	}
	return v
}

// wantValue checks what a key holds.
func wantValue(t *testing.T, s state.Store, key, want string) {
	t.Helper()
	r, err := s.Load(t.Context(), key)
	if err != nil || string(r.Value) != want {
		t.Errorf("Load(%q) = %q, %v; want %q", key, r.Value, err, want)
	}
}

// wantError checks why a key cannot be read.
func wantError(t *testing.T, s state.Store, key string, want error) {
	t.Helper()
	r, err := s.Load(t.Context(), key)
	testlog.Error(t, err)
	if !errors.Is(err, want) {
		t.Errorf("Load(%q) = %q, %v; want %v", key, r.Value, err, want)
	}
	if err != nil && strings.Contains(err.Error(), phrase) {
		t.Errorf("the error %q shows the passphrase", err)
	}
}

func TestASealedStoreIsAStore(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		open func(t *testing.T) state.Store
	}{
		{"by a passphrase", func(t *testing.T) state.Store {
			t.Helper()
			return byPhrase(t, state.NewMemory(), phrase)
		}},
		{"by a passphrase, without locks", func(t *testing.T) state.Store {
			t.Helper()
			return byPhrase(t, statetest.Plain(state.NewMemory()), phrase)
		}},
		{"by an identity, in a folder", func(t *testing.T) state.Store {
			t.Helper()
			d, err := state.OpenDir(t.TempDir() + "/state")
			if err != nil {
				t.Fatalf("OpenDir: %v", err)
			}
			return sealed(t, d, seal.Keys{Identities: []age.Identity{identity(t)}})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			statetest.TestStore(t, tc.open)
		})
	}
}

func TestTheLocksAndListingsOfTheInnerStoreAreFound(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	s := byPhrase(t, memory, phrase)
	if locker := state.LockerFor(s); locker != state.Locker(memory) {
		t.Errorf("LockerFor = %T, want the inner store's", locker)
	}
	if lister, ok := state.As[state.Lister](s); !ok || lister != state.Lister(memory) {
		t.Errorf("As[Lister] = %T, %t; want the inner store's", lister, ok)
	}
}

func TestNothingOfAValueIsInTheFiles(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/state"
	d, err := state.OpenDir(path)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	s := byPhrase(t, d, phrase)
	put(t, s, "grant/ann@contoso.com", "refresh-token-Zr8")
	names, err := filepath.Glob(filepath.Join(path, "records", "*"))
	if err != nil || len(names) != 2 {
		t.Fatalf("the files are %q, %v; want the record and the key pair", names, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name) //nolint:gosec // The path is the test's own.
		if err != nil {
			t.Fatalf("ReadFile: %v", err)
		}
		for _, clear := range []string{"refresh-token-Zr8", phrase, "AGE-SECRET-KEY"} {
			if bytes.Contains(content, []byte(clear)) {
				t.Errorf("%s shows %q", name, clear)
			}
		}
	}
	// The same value is never the same twice.
	first, err := d.Load(t.Context(), "grant/ann@contoso.com")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	put(t, s, "grant/ann@contoso.com", "refresh-token-Zr8")
	second, err := d.Load(t.Context(), "grant/ann@contoso.com")
	if err != nil || bytes.Equal(first.Value, second.Value) {
		t.Errorf("the same value is encrypted to the same bytes twice, error %v", err)
	}
}

func TestAWrongPassphraseIsToldAndTheRightOneOpensTheStoreAgain(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	put(t, byPhrase(t, memory, phrase), "a", "value")
	wrong := byPhrase(t, memory, "Correct horse")
	wantError(t, wrong, "a", seal.ErrWrongKey)
	if err := wrong.Check(t.Context()); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("Check: %v, want ErrWrongKey", err)
	}
	if _, err := wrong.CompareAndSwap(t.Context(), "b", "", []byte("v")); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("CompareAndSwap: %v, want ErrWrongKey", err)
	}
	right := byPhrase(t, memory, phrase)
	if err := right.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	wantValue(t, right, "a", "value")
	wantValue(t, right, "b", "")
}

// Several processes that open a new store at the same time agree on one key
// pair.
func TestAllWhoMakeTheKeyPairGetTheSame(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	stores := make([]*seal.Store, 8)
	var all sync.WaitGroup
	for i := range stores {
		stores[i] = byPhrase(t, memory, phrase)
		all.Go(func() {
			if _, err := stores[i].CompareAndSwap(t.Context(), fmt.Sprintf("a/%d", i), "", []byte("value")); err != nil {
				t.Errorf("CompareAndSwap in store %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i, s := range stores {
		wantValue(t, s, fmt.Sprintf("a/%d", (i+1)%len(stores)), "value")
	}
}

func TestSwappedRecordsAreDetected(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	s := byPhrase(t, memory, phrase)
	put(t, s, "grant/ann", "Ann's")
	put(t, s, "grant/bob", "Bob's")
	ann, err := memory.Load(t.Context(), "grant/ann")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	put(t, memory, "grant/bob", string(ann.Value))
	wantValue(t, s, "grant/ann", "Ann's")
	wantError(t, s, "grant/bob", seal.ErrTampered)

	keyPair, err := memory.Load(t.Context(), ".seal/identity")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	put(t, memory, ".seal/identity", string(ann.Value))
	put(t, memory, "grant/bob", string(keyPair.Value))
	if err := byPhrase(t, memory, phrase).Check(t.Context()); err == nil {
		t.Error("Check with another record in the key pair's place succeeded")
	}
}

func TestEveryChangedByteIsDetected(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	s := sealed(t, memory, seal.Keys{Identities: []age.Identity{identity(t)}})
	put(t, s, "a", "value")
	r, err := memory.Load(t.Context(), "a")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	for i := range r.Value {
		changed := bytes.Clone(r.Value)
		changed[i] ^= 1
		put(t, memory, "a", string(changed))
		if got, err := s.Load(t.Context(), "a"); !isSealError(err) {
			t.Errorf("with byte %d changed, Load = %q, %v; want an error of this package", i, got.Value, err)
		}
		put(t, memory, "a", string(r.Value[:i]))
		if got, err := s.Load(t.Context(), "a"); !isSealError(err) {
			t.Errorf("cut to %d bytes, Load = %q, %v; want an error of this package", i, got.Value, err)
		}
	}
}

// isSealError reports whether an error is one of those that Load documents.
func isSealError(err error) bool {
	return errors.Is(err, seal.ErrTampered) || errors.Is(err, seal.ErrWrongKey) || errors.Is(err, seal.ErrNotSealed)
}

func TestAValueInClearIsRefused(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	put(t, memory, "a", "in clear")
	wantError(t, byPhrase(t, memory, phrase), "a", seal.ErrNotSealed)
}

func TestRecipientsReadAndWritersNeedNoIdentity(t *testing.T) {
	t.Parallel()
	memory := state.NewMemory()
	ann, bob, eve := identity(t), identity(t), identity(t)
	writer := sealed(t, memory, seal.Keys{Recipients: []age.Recipient{ann.Recipient(), bob.Recipient()}})
	if _, err := writer.CompareAndSwap(t.Context(), "a", "", []byte("value")); err != nil {
		t.Fatalf("CompareAndSwap: %v", err)
	}
	wantError(t, writer, "a", seal.ErrWrongKey)
	for _, reader := range []age.Identity{ann, bob} {
		wantValue(t, sealed(t, memory, seal.Keys{Identities: []age.Identity{reader}}), "a", "value")
	}
	wantError(t, sealed(t, memory, seal.Keys{Identities: []age.Identity{eve}}), "a", seal.ErrWrongKey)

	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatalf("GenerateHybridIdentity: %v", err)
	}
	s := sealed(t, memory, seal.Keys{Identities: []age.Identity{hybrid}})
	put(t, s, "b", "value")
	wantValue(t, s, "b", "value")
}

func TestUnusableKeysAreRefused(t *testing.T) {
	t.Parallel()
	scrypt, err := age.NewScryptIdentity(phrase)
	if err != nil {
		t.Fatalf("NewScryptIdentity: %v", err)
	}
	passphrase := seal.Keys{Passphrase: secret.New(phrase)}
	for _, tc := range []struct {
		name    string
		inner   state.Store
		keys    seal.Keys
		options *seal.Options
	}{
		{"no keys", state.NewMemory(), seal.Keys{}, nil},
		{"a passphrase and an identity", state.NewMemory(), seal.Keys{Passphrase: secret.New(phrase), Identities: []age.Identity{identity(t)}}, nil},
		{"an identity that does not tell its recipient", state.NewMemory(), seal.Keys{Identities: []age.Identity{scrypt}}, nil},
		{"no store", nil, passphrase, nil},
		{"too much work", state.NewMemory(), passphrase, &seal.Options{WorkFactor: 23}},
		{"negative work", state.NewMemory(), passphrase, &seal.Options{WorkFactor: -1}},
	} {
		_, err := seal.New(tc.inner, tc.keys, tc.options)
		if testlog.Error(t, err); err == nil || strings.Contains(err.Error(), phrase) {
			t.Errorf("New with %s: %v, want an error without the passphrase", tc.name, err)
		}
	}
}

func TestTheKeyPairIsNoRecordOfTheCallers(t *testing.T) {
	t.Parallel()
	s := byPhrase(t, state.NewMemory(), phrase)
	put(t, s, "a", "value")
	wantError(t, s, ".seal/identity", state.ErrInvalidKey)
	if _, err := s.CompareAndSwap(t.Context(), ".seal/identity", "", []byte("v")); !errors.Is(err, state.ErrInvalidKey) {
		t.Errorf("CompareAndSwap: %v, want ErrInvalidKey", err)
	}
}

func FuzzLoad(f *testing.F) {
	keys := seal.Keys{}
	i, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatalf("GenerateX25519Identity: %v", err)
	}
	keys.Identities = []age.Identity{i}
	memory := state.NewMemory()
	s, err := seal.New(memory, keys, nil)
	if err != nil {
		f.Fatalf("New: %v", err)
	}
	if _, err := s.CompareAndSwap(f.Context(), "a", "", []byte("value")); err != nil {
		f.Fatalf("CompareAndSwap: %v", err)
	}
	r, err := memory.Load(f.Context(), "a")
	if err != nil {
		f.Fatalf("Load: %v", err)
	}
	f.Add(r.Value)
	f.Add(r.Value[:len(r.Value)/2])
	f.Add([]byte("age-encryption.org/v1\n-> X25519 x\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		inner := state.NewMemory()
		put(t, inner, "a", string(value))
		s, err := seal.New(inner, keys, nil)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		// Only what was sealed for this key can be read, and only under it.
		got, err := s.Load(t.Context(), "a")
		if bytes.Equal(value, r.Value) != (err == nil) || err != nil && !isSealError(err) {
			t.Errorf("Load of %q = %q, %v", value, got.Value, err)
		}
	})
}

func BenchmarkCompareAndSwapAndLoad(b *testing.B) {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatalf("GenerateX25519Identity: %v", err)
	}
	for name, keys := range map[string]seal.Keys{
		"passphrase": {Passphrase: secret.New(phrase)},
		"X25519":     {Identities: []age.Identity{i}},
	} {
		b.Run(name, func(b *testing.B) {
			inner := state.NewMemory()
			s, err := seal.New(inner, keys, &seal.Options{WorkFactor: 2})
			if err != nil {
				b.Fatalf("New: %v", err)
			}
			value := make([]byte, 2000)
			for b.Loop() {
				if _, err := state.Update(b.Context(), s, "a", func([]byte) ([]byte, error) { return value, nil }); err != nil {
					b.Fatalf("Update: %v", err)
				}
			}
			r, err := inner.Load(b.Context(), "a")
			if err != nil {
				b.Fatalf("Load: %v", err)
			}
			b.ReportMetric(float64(len(r.Value)-len(value)), "extra-bytes")
		})
	}
}

func ExampleNew() {
	ctx := context.Background()
	files := state.NewMemory() // or state.OpenDir
	cheap := &seal.Options{WorkFactor: 10}
	store, err := seal.New(files, seal.Keys{Passphrase: secret.New("correct horse battery staple")}, cheap)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := store.CompareAndSwap(ctx, "grant/ann@contoso.com", "", []byte("a refresh token")); err != nil {
		fmt.Println(err)
		return
	}
	record, err := store.Load(ctx, "grant/ann@contoso.com")
	fmt.Println(string(record.Value), err)

	other, err := seal.New(files, seal.Keys{Passphrase: secret.New("a guess")}, cheap)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Is(other.Check(ctx), seal.ErrWrongKey))
	// Output:
	// a refresh token <nil>
	// true
}
