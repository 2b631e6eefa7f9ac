// Package pop3test is a fake POP3 server for tests (RFC 1939 and extensions).
package pop3test
