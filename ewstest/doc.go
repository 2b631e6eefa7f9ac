// Package ewstest is a fake Exchange server for tests: Exchange Web Services
// over the accounts of a [mailtest.Box].
//
//	box := mailtest.New()
//	box.Add("ann@example.com", secret.New("correct horse"))
//	server := ewstest.New(box, nil)
//	defer server.Close()
//	server.Inject(ewstest.Busy("FindItem", 5*time.Second))
//	client := &http.Client{Transport: &http.Transport{DialContext: server.Dial}}
//
// The service is at [Path], at whatever host; over TCP it is at [Server.URL].
//
// # Advice
//
// Prefer [Server.Dial] to a TCP connection: it opens no socket, so a test can
// run inside a bubble of testing/synctest, where a silent server costs no time.
//
// A strict server refuses what Exchange refuses, and is what one's own client
// should be tested with. Clients made by others need a lenient one.
//
// [Server.Requests] tells what clients asked and were answered.
package ewstest
