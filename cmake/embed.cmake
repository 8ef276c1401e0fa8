# A file of the tree becomes a text in a program: chl_embed(TARGET FILE NAME) gives the target
#     const char NAME[];       the bytes of FILE and a final zero
# FILE counts from the current source folder. As a script this file writes the C source:
#     cmake -DFROM=page.html -DNAME=page -DTO=page.c -P embed.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${FROM}" bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}") # 16 a line
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  file(WRITE "${TO}" "extern const char ${NAME}[];\nconst char ${NAME}[] = {\n${bytes}0};\n")
  return()
endif()

set(CHL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(chl_embed target file name)
  set(from ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(to ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.c)
  add_custom_command(OUTPUT ${to} DEPENDS ${from} ${CHL_EMBED_SCRIPT}
                     COMMAND ${CMAKE_COMMAND} -DFROM=${from} -DNAME=${name} -DTO=${to} -P ${CHL_EMBED_SCRIPT})
  target_sources(${target} PRIVATE ${to})
endfunction()
