# The player: a library of its own, so that its tests need nothing else of the agent.
add_library(loa_player STATIC)
foreach(part IN ITEMS player sounder motion voice decoder media pcm_out shape ring)
  target_sources(loa_player PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${part}.c)
endforeach()
loa_uses(loa_player playlists/base playlists firmware)
target_link_libraries(loa_player PUBLIC loa_base PkgConfig::libuv PkgConfig::alsa PkgConfig::sndfile
                                        PkgConfig::samplerate Threads::Threads m)
