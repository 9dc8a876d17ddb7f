package homeserver

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"maunium.net/go/mautrix/id"
)

// apiError is a Matrix error answer.
type apiError struct {
	Status int    `json:"-"`
	Code   string `json:"errcode"`
	Text   string `json:"error"`
}

func failure(status int, code, text string) *apiError { return &apiError{status, code, text} }

func (e *apiError) Error() string { return e.Code + ": " + e.Text }

func notFound(text string) *apiError { return failure(http.StatusNotFound, "M_NOT_FOUND", text) }

// request is one API request with its body read and its sender known.
type request struct {
	*http.Request
	w    http.ResponseWriter
	body []byte
	user id.UserID
	as   *Appservice // nil for a person's token
	tok  string
	rec  *Request

	unremembered bool // see Fault
}

func (r *request) room() id.RoomID     { return id.RoomID(r.PathValue("room")) }
func (r *request) target() id.UserID   { return id.UserID(r.PathValue("user")) }
func (r *request) eventID() id.EventID { return id.EventID(r.PathValue("event")) }

func (r *request) decode(into any) *apiError {
	if len(r.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return failure(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON: "+err.Error())
	}
	return nil
}

// content is the body as event content, {} when empty.
func (r *request) content() json.RawMessage {
	if len(r.body) == 0 {
		return json.RawMessage("{}")
	}
	return r.body
}

// timestamp is the ts parameter, honoured for appservices only.
func (r *request) timestamp() int64 {
	ts, err := strconv.ParseInt(r.URL.Query().Get("ts"), 10, 64)
	if err != nil || r.as == nil {
		return 0
	}
	return ts
}

// handler answers a request; it is called with the mutex held.
type handler func(s *Server, r *request) (any, *apiError)

type empty struct{}

// answered tells that the handler wrote the response itself.
type answered struct{}

// endpoint is one route: the pattern after /_matrix, its name in the record, who may call it, and what answers it.
type endpoint struct {
	method, path, name string
	public             bool // no token needed
	serve              handler
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, group := range [][]endpoint{serverEndpoints, roomEndpoints, readEndpoints, userEndpoints, mediaEndpoints, keyEndpoints} {
		for _, e := range group {
			mux.HandleFunc(e.method+" /_matrix"+e.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, e) })
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, endpoint{name: "unknown", public: true, serve: func(*Server, *request) (any, *apiError) {
			return nil, failure(http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request")
		}})
	})
	return mux
}

// serve reads, authenticates, records and answers one request, with the faults that match it.
func (s *Server) serve(w http.ResponseWriter, httpReq *http.Request, e endpoint) {
	body, err := io.ReadAll(io.LimitReader(httpReq.Body, s.opts.UploadLimit+1<<20))
	if err != nil {
		return // the client is gone
	}
	r := &request{Request: httpReq, w: w, body: body}
	s.mu.Lock()
	apiErr := s.authenticate(r, e)
	r.rec = s.recordRequest(r, e.name)
	fault := s.takeFault(r.rec)
	gone := httpReq.Context().Done()
	if fault != nil && fault.Anyway {
		gone = s.ended
	}
	s.mu.Unlock()

	if fault != nil && !fault.hold(gone) {
		return
	}
	if fault != nil && !fault.After && (fault.Status != 0 || fault.Cut) {
		s.finish(r, fault.Status)
		fault.answer(w)
		return
	}
	r.unremembered = fault != nil && fault.Unremembered
	var result any
	if apiErr == nil {
		s.mu.Lock()
		result, apiErr = e.serve(s, r)
		s.mu.Unlock()
	}
	if deferred, ok := result.(func() (any, *apiError)); ok && apiErr == nil {
		result, apiErr = deferred() // what must not hold the mutex, such as calling the appservice
	}
	if fault != nil && fault.After && (fault.Status != 0 || fault.Cut) {
		s.finish(r, fault.Status)
		fault.answer(w)
		return
	}
	status := http.StatusOK
	if apiErr != nil {
		status, result = apiErr.Status, apiErr
	}
	s.finish(r, status)
	if _, done := result.(answered); done {
		return
	}
	writeJSON(w, status, result)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"errcode":"M_UNKNOWN"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// authenticate finds out on whose behalf the request is made. The caller holds the mutex.
func (s *Server) authenticate(r *request, e endpoint) *apiError {
	r.tok = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	query := r.URL.Query()
	if r.tok == "" {
		r.tok = query.Get("access_token")
	}
	if as := s.appservices[r.tok]; as != nil {
		// Registering and signing in need only the appservice's token: the user named may not exist yet.
		if err := s.masquerade(r, as, query); err != nil && e.name != "register" && e.name != "login" {
			return err
		}
		return nil
	}
	if user, ok := s.tokens[r.tok]; ok {
		r.user = user
		return nil
	}
	switch {
	case e.public && r.tok == "":
		return nil
	case r.tok == "":
		return failure(http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token")
	}
	return failure(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
}

// masquerade applies the user_id parameter of an appservice (application service API, "Identity assertion").
func (s *Server) masquerade(r *request, as *Appservice, query url.Values) *apiError {
	r.as, r.user = as, as.sender
	asked := id.UserID(query.Get("user_id"))
	if asked == "" || asked == as.sender {
		return nil
	}
	r.user = asked
	switch {
	case !as.owns(asked):
		return failure(http.StatusForbidden, "M_FORBIDDEN", "Application service cannot masquerade as this user ("+asked.String()+").")
	case !s.accounts[asked]:
		return failure(http.StatusForbidden, "M_FORBIDDEN", "Application service has not registered this user ("+asked.String()+")")
	}
	return nil
}
