# cmake --install and cpack: what is installed, as a .deb and a .tgz; and the git revision in --version.
# cmake --install build/release --prefix ~/.local: the program finds the module in ../lib/stagedtrain, the
# module finds the LibTorch that it was built for by the path in it.
include(GNUInstallDirs)
install(TARGETS stagedtrain RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET stagedtrain_torch)
  # Own CUDA kernels need CUDA's runtime, which is not in LibTorch's folder.
  foreach(library ${CUDART})
    get_filename_component(folder ${library} REALPATH)
    get_filename_component(folder ${folder} DIRECTORY)
    set_property(TARGET stagedtrain_torch APPEND PROPERTY INSTALL_RPATH ${folder})
  endforeach()
  install(TARGETS stagedtrain_torch LIBRARY DESTINATION lib/stagedtrain)
endif()
install(DIRECTORY schedules/ DESTINATION ${CMAKE_INSTALL_DATADIR}/stagedtrain/schedules)
install(FILES python/stagedtrain_h5.py DESTINATION ${CMAKE_INSTALL_DATADIR}/stagedtrain)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# A package holds no LibTorch, which is ten times its size: the machine needs one at the same path.
# packaging/Dockerfile builds an image that has it.
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_CONTACT "stagedtrain maintainers <maintainers@users.noreply.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Trains a small transformer, grows its whole state and trains on")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # Debian's libraries; LibTorch's belong to no package
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS gnuplot-nox)
if(TORCH_ROOT)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${TORCH_ROOT}/lib)
endif()
include(CPack)

# The revision is that of the last commit; a commit makes CMake run again.
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} rev-parse --short=10 HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT} rev-parse --git-path logs/HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE head_log OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  get_filename_component(head_log "${head_log}" ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  if(revision AND EXISTS ${head_log})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${head_log})
    set_property(SOURCE cmd/main.cc APPEND PROPERTY COMPILE_DEFINITIONS "STAGEDTRAIN_REVISION=\" (${revision})\"")
  endif()
endif()
