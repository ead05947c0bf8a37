package mls

import "sync"

// workspace is memory for what is put together on the way to a signature, a
// hash or a sealed message and is of no use afterwards. It comes from
// [getWorkspace] and goes back by release, which erases it: content passes
// through here, and keys do.
type workspace struct {
	hidden
	content []byte    // encoded content
	message []byte    // what is signed, in one piece
	aad     []byte    // what is sealed beside the message
	pieces  [5][]byte // of content, with a place more for the membership tag
	joined  [1][]byte
	head    [4]byte

	key       [32]byte
	nonce     [12]byte
	plaintext [sealedSenderDataSize]byte
	signature [160]byte // room for all but ML-DSA
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

func getWorkspace() *workspace { return workspaces.Get().(*workspace) }

// mostKept bounds the memory that a workspace holds on to.
const mostKept = 1 << 16

func (w *workspace) release() {
	w.content, w.message, w.aad = emptied(w.content), emptied(w.message), emptied(w.aad)
	clear(w.pieces[:])
	clear(w.joined[:])
	clear(w.key[:])
	clear(w.nonce[:])
	clear(w.plaintext[:])
	workspaces.Put(w)
}

// emptied erases a buffer, and gives it back to be filled again if it is not
// too large to keep.
func emptied(b []byte) []byte {
	clear(b)
	if cap(b) > mostKept {
		return nil
	}
	return b[:0]
}
