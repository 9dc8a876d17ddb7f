package homeserver

import (
	"fmt"
	"net/http"

	"maunium.net/go/mautrix/id"
)

// mediaEndpoints store and give out media. Thumbnails are the original.
var mediaEndpoints = []endpoint{
	{"GET", "/client/v1/media/config", "media/config", false, getMediaConfig},
	{"GET", "/media/v3/config", "media/config", false, getMediaConfig},
	{"POST", "/media/v1/create", "media/create", false, createMedia},
	{"POST", "/media/v3/upload", "media/upload", false, uploadMedia},
	{"PUT", "/media/v3/upload/{server}/{media}", "media/upload", false, uploadMedia},
	{"GET", "/client/v1/media/download/{server}/{media}", "media/download", false, downloadMedia},
	{"GET", "/client/v1/media/download/{server}/{media}/{name}", "media/download", false, downloadMedia},
	{"GET", "/client/v1/media/thumbnail/{server}/{media}", "media/download", false, downloadMedia},
	{"GET", "/media/v3/download/{server}/{media}", "media/download", true, downloadMedia},
	{"GET", "/media/v3/download/{server}/{media}/{name}", "media/download", true, downloadMedia},
}

// Media is one stored file. Data is nil between create and upload.
type Media struct {
	URI         id.ContentURIString
	Owner       id.UserID
	ContentType string
	Name        string
	Data        []byte
}

func getMediaConfig(s *Server, _ *request) (any, *apiError) {
	return map[string]int64{"m.upload.size": s.opts.UploadLimit}, nil
}

func (s *Server) newMedia(owner id.UserID) (string, *Media) {
	key := fmt.Sprintf("media%d", s.nextID())
	media := &Media{URI: id.ContentURI{Homeserver: s.opts.Domain, FileID: key}.CUString(), Owner: owner}
	s.media[key] = media
	return key, media
}

func createMedia(s *Server, r *request) (any, *apiError) {
	_, media := s.newMedia(r.user)
	return map[string]id.ContentURIString{"content_uri": media.URI}, nil
}

func uploadMedia(s *Server, r *request) (any, *apiError) {
	if int64(len(r.body)) > s.opts.UploadLimit {
		return nil, failure(http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "Upload request body is too large")
	}
	var media *Media
	if key := r.PathValue("media"); key == "" {
		_, media = s.newMedia(r.user)
	} else if media = s.media[key]; media == nil || media.Owner != r.user {
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "Unknown or foreign media ID")
	} else if media.Data != nil {
		return nil, failure(http.StatusConflict, "M_CANNOT_OVERWRITE_MEDIA", "Media ID already has content")
	}
	media.ContentType, media.Name, media.Data = r.Header.Get("Content-Type"), r.URL.Query().Get("filename"), r.body
	if media.Data == nil {
		media.Data = []byte{}
	}
	s.notify()
	return map[string]id.ContentURIString{"content_uri": media.URI}, nil
}

func downloadMedia(s *Server, r *request) (any, *apiError) {
	media := s.media[r.PathValue("media")]
	if media == nil || r.PathValue("server") != s.opts.Domain {
		return nil, notFound("Media not found")
	}
	if media.Data == nil {
		return nil, failure(http.StatusGatewayTimeout, "M_NOT_YET_UPLOADED", "Media has not been uploaded yet")
	}
	contentType, data := media.ContentType, media.Data
	return func() (any, *apiError) {
		if contentType != "" {
			r.w.Header().Set("Content-Type", contentType)
		}
		r.w.Header().Set("Content-Disposition", "attachment")
		_, _ = r.w.Write(data)
		return answered{}, nil
	}, nil
}

// Media returns a stored file, nil when there is none.
func (s *Server) Media(uri id.ContentURIString) *Media {
	parsed, err := uri.Parse()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	media := s.media[parsed.FileID]
	if media == nil {
		return nil
	}
	snapshot := *media
	return &snapshot
}

// Upload stores a file as if the user had uploaded it.
func (u *User) Upload(name, contentType string, data []byte) id.ContentURIString {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	_, media := u.server.newMedia(u.ID)
	media.Name, media.ContentType, media.Data = name, contentType, append([]byte{}, data...)
	return media.URI
}
