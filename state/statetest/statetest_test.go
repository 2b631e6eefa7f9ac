package statetest_test

import (
	"fmt"

	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/statetest"
)

// A Store without further abilities shows that code does not rely on them.
func ExamplePlain() {
	store := state.NewMemory()
	_, locks := state.As[state.Locker](store)
	_, plainLocks := state.As[state.Locker](statetest.Plain(store))
	fmt.Println(locks, plainLocks)
	// Output: true false
}
