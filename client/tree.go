package client

import (
	"bytes"
	"context"
	"fmt"

	"sconce/api"
)

// readTree reads a ratchet tree by its hash, part by part. That it is the group's
// is for mls to check.
func (c *Client) readTree(ctx context.Context, hash api.Hash) ([]byte, error) {
	var tree []byte
	for {
		resp, err := authed(ctx, c, api.ReadTree, &api.ReadTreeRequest{Tree: hash, From: uint64(len(tree))})
		if err != nil {
			return nil, fmt.Errorf("reading the ratchet tree: %w", err)
		}
		var whole bool
		if tree, whole, err = joinParts(tree, resp.Tree, resp.TreeSize); err != nil {
			return nil, err
		}
		if whole {
			return tree, nil
		}
	}
}

// readGroupInfo reads what an external commit needs, with the whole tree in it.
// When the group goes on in the midst of that, the tree is another one, and the
// reading begins again.
func (c *Client) readGroupInfo(ctx context.Context, r *roomState) (*api.ReadGroupInfoResponse, error) {
	var tree, info []byte
	for begun := 0; ; {
		resp, err := authed(ctx, c, api.ReadGroupInfo, &api.ReadGroupInfoRequest{Room: r.id, From: uint64(len(tree))})
		if err != nil {
			return nil, err
		}
		if tree != nil && !bytes.Equal(info, resp.GroupInfo) {
			if begun++; begun == maxAttempts {
				return nil, fmt.Errorf("%w: others keep changing it while this device reads it", errRoom)
			}
			tree = nil
			continue
		}
		info = resp.GroupInfo
		var whole bool
		if tree, whole, err = joinParts(tree, resp.Tree, resp.TreeSize); err != nil {
			return nil, err
		}
		if whole {
			resp.Tree = tree
			return resp, nil
		}
	}
}

// joinParts adds a part to what is there of a tree, and reports whether that is
// all of it.
func joinParts(tree, part []byte, size uint64) (all []byte, whole bool, err error) {
	have := uint64(len(tree)) + uint64(len(part))
	switch {
	case size > api.MaxTree:
		return nil, false, fmt.Errorf("%w: its ratchet tree has %d bytes; the limit is %d", errRoom, size, api.MaxTree)
	case have > size || have < size && len(part) == 0:
		return nil, false, fmt.Errorf("%w: the server gave a ratchet tree in parts that do not fit", errRoom)
	}
	return append(tree, part...), have == size, nil
}
