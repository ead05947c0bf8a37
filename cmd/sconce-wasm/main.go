//go:build js && wasm

// Command sconce-wasm is the client's core for a browser's worker. It finds what
// it works with in the global "sconceHost" (see client/browser), and leaves one
// object, "sconceCore", whose connect gives a tab its line to the client: the
// lines of docs/bridge.md, one JSON object each. It never returns; whoever
// wants the keys gone ends the worker.
//
// As "sconce derive" it is the throw-away worker that makes a key of a
// passphrase, and leaves the function "sconceDerive".
package main

import (
	"context"
	"os"
	"syscall/js"

	"sconce/client/bridge"
	"sconce/client/browser"
)

// version is set when a release is built.
var version = "development"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "derive" {
		js.Global().Set("sconceDerive", browser.Derive())
	} else if err := serve(); err != nil {
		js.Global().Get("console").Call("error", "sconce: "+err.Error())
		return
	}
	js.Global().Call("sconceReady")
	select {}
}

func serve() error {
	host, err := browser.Open()
	if err != nil {
		return err
	}
	door := bridge.NewHost(&browser.Platform{Host: host, Version: version}, bridge.HostOptions{})
	js.Global().Set("sconceCore", browser.Core(context.Background(), host, door))
	return nil
}
