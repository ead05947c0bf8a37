package main

import (
	"sconce/api"
	"sconce/client"
	"sconce/client/bridge"
)

// example is a call as the manual shows it. The types are checked against the
// method's, so that an example can't be of yesterday.
type example struct {
	params, result any
	codes          []bridge.Code // that this call in particular may answer
}

const (
	alice    = "acx7…" // shortened: an id has 52 characters
	bob      = "q5fe…"
	phone    = "m2ka…"
	team     = "5f0c…"
	hello    = "01d3…"
	reaction = "0197…"
	noon     = 1767268800000
)

var (
	forbidden   = bridge.Code(api.Forbidden)
	limited     = bridge.Code(api.RateLimited)
	unavailable = bridge.Code(api.Unavailable)
	// online is what any call may answer that asks the server.
	online = []bridge.Code{bridge.Offline, bridge.Removed, limited, unavailable}
)

func asks(more ...bridge.Code) []bridge.Code { return append(more, online...) }

var (
	teamRoom = client.RoomView{
		Room: team, Kind: "group", Name: "Team", Last: 12, Notify: client.NotifyAll,
		Members: []client.MemberView{
			{User: alice, Name: "Alice", Admin: true, Trust: client.Verified, Devices: 2},
			{User: bob, Name: "Bob", Trust: client.Unverified, Devices: 1},
		},
	}
	bobRoom = client.RoomView{
		Room: "c81e…", Kind: "direct", Name: "Bob", Notify: client.NotifyAll,
		Members: []client.MemberView{{User: alice, Name: "Alice", Trust: client.Verified, Devices: 2}, {User: bob, Name: "Bob", Trust: client.Unverified, Devices: 1}},
	}
	queued = client.MessageView{
		ID: hello, Room: team, Sender: alice, Name: "Alice", Mine: true, Time: noon, State: client.Queued, Kind: "text",
		Text: "Lunch?", Burn: 60,
	}
	sent = client.MessageView{
		ID: hello, Room: team, Seq: 12, Sender: alice, Name: "Alice", Mine: true, Time: noon, State: client.Sent, Kind: "text",
		Text: "Lunch?", Reactions: []client.ReactionView{{Emoji: "👍", By: []string{bob}}},
	}
	aliceOnPhone = client.Me{User: alice, Name: "Alice", Device: phone, DeviceName: "phone", Network: "f7yq…",
		Server: "https://chat.example.org", Address: "https://chat.example.org/#device1.f7yq….acx7…"}
	done     = bridge.None{}
	name     = "Team 2"
	yes, no  = true, false
	mentions = client.NotifyMentions
	day      = 24 * 60 * 60
)

var examples = map[string]example{
	"state": {done, client.DoorView{State: client.PhaseLocked, Passphrase: true, Passkey: &client.PasskeyView{Credential: "bYz8…", Salt: "0Q1k…"},
		Persistent: true, Version: "0.2.0", Build: "9f3c…", Kind: "browser"}, []bridge.Code{bridge.Busy}},
	"invite": {bridge.InviteParams{Code: "https://chat.example.org/#1.f7yq….2bqz…"},
		bridge.InviteView{Valid: true, Server: "https://chat.example.org", Network: "f7yq…"}, nil},
	"join": {bridge.JoinParams{Invite: "https://chat.example.org/#1.f7yq….2bqz…", Name: "Alice", DeviceName: "phone", Passphrase: "correct horse battery"},
		bridge.JoinResult{Me: aliceOnPhone, Recovery: "SR1-7KQ2M-…"}, asks(bridge.Exists, bridge.Busy, bridge.WrongKey, bridge.Code(api.NotFound), bridge.Code(api.Conflict))},
	"link": {bridge.LinkParams{Address: "https://chat.example.org/#device1.f7yq….acx7…", DeviceName: "laptop", Passphrase: "correct horse battery"},
		bridge.EnterResult{Me: aliceOnPhone}, asks(bridge.Exists, bridge.Busy, bridge.WrongKey, bridge.Canceled)},
	"recover": {bridge.RecoverParams{Recovery: "SR1-7KQ2M-…", Address: "https://chat.example.org/#f7yq…", DeviceName: "phone", Passphrase: "correct horse battery"},
		bridge.EnterResult{Me: aliceOnPhone}, asks(bridge.WrongRecovery, bridge.Exists, bridge.Busy, bridge.WrongKey, bridge.Code(api.NotFound))},
	"cancel":           {done, done, nil},
	"unlock":           {bridge.UnlockParams{Passphrase: "correct horse battery"}, bridge.EnterResult{Me: aliceOnPhone}, []bridge.Code{bridge.WrongKey, bridge.Unfinished, bridge.Busy}},
	"lock":             {done, done, nil},
	"forget":           {bridge.ForgetParams{Passphrase: "correct horse battery"}, done, []bridge.Code{bridge.WrongKey, bridge.Busy}},
	"passkey":          {bridge.PasskeyParams{Add: &bridge.PasskeySecret{Credential: "bYz8…", Salt: "0Q1k…", Secret: "h2Vn…"}}, done, nil},
	"changePassphrase": {bridge.ChangePassphraseParams{Old: "correct horse battery", New: "another one"}, done, []bridge.Code{bridge.WrongKey}},
	"handover":         {done, bridge.HandoverResult{Token: "Xk3f…"}, nil},

	"me":           {done, aliceOnPhone, nil},
	"rename":       {bridge.RenameParams{Name: "Alice B."}, done, asks(bridge.Code(api.Conflict))},
	"people":       {bridge.PeopleParams{Query: "bo"}, []client.PersonView{{User: bob, Name: "Bob", Trust: client.Unverified, Devices: 1}}, []bridge.Code{limited}},
	"safety":       {bridge.SafetyParams{User: bob}, client.SafetyView{User: bob, Name: "Bob", Number: "20391 55012 …", QR: "sconce-safety:ATvq…", Trust: client.Unverified}, asks()},
	"checkSafety":  {bridge.CheckSafetyParams{User: bob, Scanned: "sconce-safety:ATvq…"}, bridge.CheckSafetyResult{Same: true}, asks()},
	"roomDevices":  {bridge.RoomDevicesParams{User: bob}, []client.DeviceView{{Device: "t4ww…", Name: "Linux computer", Added: noon, Fingerprint: "t4ww 7m2c …"}}, asks()},
	"connection":   {done, client.ConnectionView{State: client.ReachOnline}, nil},
	"markVerified": {bridge.MarkVerifiedParams{User: bob, Verified: true}, done, asks()},

	"rooms":        {done, []client.RoomView{teamRoom}, nil},
	"room":         {bridge.RoomParams{Room: team}, teamRoom, nil},
	"newRoom":      {bridge.NewRoomParams{Name: "Team", Users: []string{bob}}, teamRoom, asks()},
	"directRoom":   {bridge.DirectRoomParams{User: bob}, bobRoom, asks()},
	"addPeople":    {bridge.AddPeopleParams{Room: team, Users: []string{bob}}, done, asks(forbidden)},
	"removePerson": {bridge.RemovePersonParams{Room: team, User: bob}, done, asks(forbidden)},
	"setAdmin":     {bridge.SetAdminParams{Room: team, User: bob, Admin: true}, done, asks(forbidden)},
	"leave":        {bridge.RoomParams{Room: team}, done, asks()},
	"dismiss":      {bridge.RoomParams{Room: team}, done, nil},
	"setRoom":      {bridge.SetRoomParams{Room: team, Name: &name, Expire: &day}, done, asks(forbidden)},

	"preferences": {bridge.PreferencesParams{Room: team, Preferences: client.Preferences{Pinned: &yes, Notify: &mentions}}, done, nil},

	"messages": {bridge.MessagesParams{Room: team, Limit: 1}, []client.MessageView{sent}, nil},
	"message":  {bridge.MessageParams{Room: team, ID: hello}, sent, nil},
	"history":  {bridge.MessageOfParams{Room: team, Message: hello}, []client.EarlierView{{Text: "Lunhc?", Time: noon}}, nil},
	"search":   {bridge.SearchParams{Query: "lunch"}, client.SearchView{Hits: []client.Hit{{Message: sent, RoomName: "Team"}}}, nil},
	"retry":    {bridge.MessageOfParams{Room: team, Message: hello}, done, nil},
	"discard":  {bridge.MessageOfParams{Room: team, Message: hello}, done, nil},
	"typing":   {bridge.RoomParams{Room: team}, done, asks(bridge.Code(api.TooLarge))},
	"draft":    {bridge.DraftParams{Room: team, Text: "Lunch at"}, done, nil},
	"send":     {bridge.SendParams{Room: team, Draft: client.Draft{Text: "Lunch?", Burn: 60}}, queued, nil},
	"react":    {bridge.ReactParams{Room: team, Message: hello, Emoji: "👍"}, done, nil},
	"unreact":  {bridge.UnreactParams{Room: team, Message: hello, Reaction: reaction}, done, nil},
	"edit":     {bridge.EditParams{Room: team, Message: hello, Text: "Lunch at one?"}, done, nil},
	"delete":   {bridge.DeleteParams{Room: team, Message: hello}, done, nil},
	"view":     {bridge.ViewParams{Room: team, UpTo: 12}, done, nil},
	"sync":     {done, done, asks()},

	"settings":    {done, client.Settings{Receipts: true, Typing: true}, nil},
	"setSettings": {client.SettingsChange{Receipts: &no}, client.Settings{Typing: true}, nil},

	"devices":      {done, []client.DeviceView{{Device: phone, Name: "phone", Added: noon, This: true, Fingerprint: "m2ka 4q7z …", LastSeen: noon}}, nil},
	"approve":      {bridge.ApproveParams{Code: "SD1-4Q7ZK-…"}, client.DeviceView{Device: "t4ww…", Name: "Linux computer", Added: noon, Fingerprint: "t4ww 7m2c …"}, asks(bridge.WrongLinkCode, bridge.Code(api.NotFound))},
	"removeDevice": {bridge.RemoveDeviceParams{Device: "t4ww…"}, done, asks()},
}
