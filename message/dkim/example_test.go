package dkim_test

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"net/mail"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/message/dkim"
)

func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // a real one comes from ParseKey
	signer, err := dkim.New("example.com", "2026", key, nil)
	if err != nil {
		log.Fatal(err)
	}
	name, value := signer.Record()
	fmt.Println(name, "TXT", value)

	source, err := (&message.Draft{From: mail.Address{Address: "ann@example.com"}, Text: "Hello\n"}).Source()
	if err != nil {
		log.Fatal(err)
	}
	signed, err := signer.Sign(source) // to be sent as it is
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(signed.Size() > source.Size())
	// Output:
	// 2026._domainkey.example.com TXT v=DKIM1; k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=
	// true
}
