from forensic_cli.cli import main

main()
