package inbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/matrixside/inbox"
)

// BenchmarkMatrixToOutbox takes messages from the homeserver's transactions, 20 events each over 50 rooms, through a real
// bridgev2 to the outbox.
func BenchmarkMatrixToOutbox(b *testing.B) {
	var contacts []string
	for n := range 50 {
		contacts = append(contacts, fmt.Sprint("contact", n))
	}
	w := newWorld(b, inbox.Config{}, contacts...)
	w.inbox.Ready()
	w.settled()
	eventually(b, "an empty inbox", func() bool { return w.inbox.Pending() == 0 })
	b.ResetTimer()
	for n := 0; n < b.N; {
		var body bytes.Buffer
		body.WriteString(`{"events":[`)
		for i := 0; i < 20 && n < b.N; i++ {
			if i > 0 {
				body.WriteByte(',')
			}
			appendMessage(&body, w.rooms[contacts[n%len(contacts)]], w.ann.ID, n)
			n++
		}
		body.WriteString(`]}`)
		req := httptest.NewRequest(http.MethodPut, fmt.Sprint("/_matrix/app/v1/transactions/bench", n), &body)
		req.Header.Set("Authorization", "Bearer "+w.place.HSToken)
		answer := httptest.NewRecorder()
		w.connector.AS.Router.ServeHTTP(answer, req)
		if answer.Code != http.StatusOK {
			b.Fatalf("answered %d", answer.Code)
		}
	}
	w.net.waitFor(b, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func appendMessage(body *bytes.Buffer, room id.RoomID, sender id.UserID, n int) {
	fmt.Fprintf(body, `{"event_id":"$bench%d","room_id":%q,"sender":%q,"type":"m.room.message","origin_server_ts":1700000000000,"content":{"msgtype":"m.text","body":"message %d"}}`, n, room, sender, n)
}
