# SPDX-License-Identifier: Apache-2.0
# What is installed besides the two programs, as two components: console (equant-cli, the sample that both programs open,
# the documentation) and desktop (equant). Man pages hold the programs' own --help, so they are made while installing.
function(equant_install_documents program component)
    install(CODE "
        execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/packaging/man/make_page.sh\" \"$<TARGET_FILE:${program}>\"
                                \"${PROJECT_SOURCE_DIR}/packaging/man/${program}.1.in\" \"${PROJECT_SOURCE_DIR}/packaging/debian/changelog\"
                        COMMAND gzip -9n
                        OUTPUT_FILE \"${PROJECT_BINARY_DIR}/${program}.1.gz\" COMMAND_ERROR_IS_FATAL ANY)
        execute_process(COMMAND gzip -9nc \"${PROJECT_SOURCE_DIR}/packaging/debian/changelog\"
                        OUTPUT_FILE \"${PROJECT_BINARY_DIR}/changelog.Debian.gz\" COMMAND_ERROR_IS_FATAL ANY)"
        COMPONENT ${component})
    install(FILES ${PROJECT_BINARY_DIR}/${program}.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${component})
    install(FILES ${PROJECT_BINARY_DIR}/changelog.Debian.gz ${PROJECT_SOURCE_DIR}/packaging/debian/copyright
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${program} COMPONENT ${component})
endfunction()

equant_install_documents(equant-cli console)
install(DIRECTORY resources/sample/ DESTINATION ${CMAKE_INSTALL_DATADIR}/equant/sample COMPONENT console
    PATTERN "*.py" EXCLUDE PATTERN "README.md" EXCLUDE)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/equant-cli COMPONENT console PATTERN "screenshots" EXCLUDE)
install(FILES packaging/completion/equant-cli.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME equant-cli COMPONENT console)

if(EQUANT_DESKTOP)
    set(id io.github.equant.Equant)
    equant_install_documents(equant desktop)
    install(FILES packaging/desktop/${id}.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications COMPONENT desktop)
    install(FILES packaging/desktop/${id}.metainfo.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo COMPONENT desktop)
    install(FILES packaging/desktop/${id}.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/mime/packages COMPONENT desktop)
    install(FILES resources/equant.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps
        RENAME ${id}.svg COMPONENT desktop)
endif()
