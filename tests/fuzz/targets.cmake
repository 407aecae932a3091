loa_fuzz(sound USES playlists/base firmware LIBS loa_player)
loa_fuzz(voice USES playlists/base firmware LIBS loa_player)
loa_fuzz(documents USES playlists/base playlists LIBS loa_playlists)
loa_fuzz(seal USES playlists/base playlists LIBS loa_playlists)
