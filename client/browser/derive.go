//go:build js && wasm

package browser

import (
	"context"
	"syscall/js"

	"golang.org/x/crypto/argon2"
)

// keySize is what Argon2id gives: a key of ChaCha20-Poly1305.
const keySize = 32

// Derive is the function that the throw-away worker runs:
//
//	(passphrase: Uint8Array, salt: Uint8Array, passes, memoryKiB, lanes: number): Uint8Array
func Derive() js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		key := argon2.IDKey(toGo(args[0]), toGo(args[1]), uint32(args[2].Int()), uint32(args[3].Int()), uint8(args[4].Int()), keySize)
		return toJS(key)
	})
}

// DeriveElsewhere runs Argon2id (RFC 9106) in a worker that ends with the answer,
// because the memory that it takes here would never be given back.
func (h *Host) DeriveElsewhere(ctx context.Context, passphrase, salt []byte, passes, memoryKiB uint32, lanes uint8) ([]byte, error) {
	promise, err := try(func() js.Value {
		return h.v.Call("derive", toJS(passphrase), toJS(salt), passes, memoryKiB, lanes)
	})
	if err == nil {
		promise, err = await(ctx, promise)
	}
	if err != nil {
		return nil, err
	}
	return toGo(promise), nil
}
