// Package racing tells tests whether they run under the race detector, which makes
// them take five times as long and looks for something else than they do: it needs
// no form of a server whose code is that of another form.
package racing
