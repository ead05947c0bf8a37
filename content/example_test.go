package content_test

import (
	"fmt"

	"sconce/content"
)

func Example() {
	m := content.Reply(content.ID{1, 2, 3}, "See you at **nine**")
	m.SetTimers(content.Timers{Expire: 7 * 86400, Burn: 60})
	sent, err := m.Encode()
	if err != nil {
		fmt.Println(err) // such as: text has 70000 bytes; the limit is 65536
		return
	}
	// sent is padded to content.PaddedSize(len(sent)) and encrypted by MLS.

	received, err := content.Decode(sent)
	if err != nil {
		fmt.Println(err)
		return
	}
	view := received.View()
	fmt.Println(view.Kind, view.Text, received.Timers().Burn)
	// Output: reply See you at **nine** 60
}
