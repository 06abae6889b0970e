"""What hears, thinks and speaks for the local server. Engines may load files and libraries."""
