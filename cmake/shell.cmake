# What the program says of itself: completions of three shells and its page of the manual.
#   cmake -DVORTEX=… -DVERSION=… -DIN=vortex.1.in -DOUT=FOLDER -P shell.cmake
foreach(kind bash zsh fish man)
  execute_process(COMMAND ${VORTEX} completions ${kind} OUTPUT_FILE ${OUT}/${kind} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(READ ${OUT}/man COMMANDS)
configure_file(${IN} ${OUT}/vortex.1 @ONLY)
