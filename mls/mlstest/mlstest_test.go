package mlstest

import (
	"bytes"
	"testing"

	"sconce/mls"
)

func TestMembersOfAGroupAgree(t *testing.T) {
	groups := Group(t, mls.DefaultSuite, 4)
	st, err := groups[2].Commit(mls.CommitOptions{Proposals: []mls.Proposal{&mls.Remove{Removed: 1}}}, Now)
	if err != nil {
		t.Fatal(err)
	}
	Deliver(t, groups, groups[2], st)
	if !groups[1].Removed() {
		t.Error("the removed member is still there")
	}
	for _, i := range []int{2, 3} {
		if !bytes.Equal(groups[0].EpochAuthenticator(), groups[i].EpochAuthenticator()) {
			t.Errorf("member %d is in another epoch", i)
		}
	}
}
