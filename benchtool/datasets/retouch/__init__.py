"""The parts of NIID's semi-supervised set (`data prepare coco-retouch`): clusters of photographs, the retouching module, noise."""
